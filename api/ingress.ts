import { type Static, Type } from "typebox";
import type { KindDefinition } from "./kind.ts";
import { choice, list, metadata, name, optional, port, text } from "./schema.ts";

/** Ingress and its classes (networking.k8s.io/v1) as translation reads them; other fields may be there. */

const open = Type.Object;

/** Name of the controller that IngressClasses must have to be ours. */
export const INGRESS_CONTROLLER = "novaedge.io/ingress-controller";

const apiVersion = () => Type.Literal("networking.k8s.io/v1");

function networking<T extends ReturnType<typeof Type.Object>>(
  kind: string,
  plural: string,
  schema: T,
  clusterScoped = false,
): KindDefinition<T> {
  return {
    group: "networking.k8s.io",
    version: "v1",
    kind,
    plural,
    clusterScoped,
    shortNames: [],
    schema,
    status: null,
    columns: [],
    rules: [],
    unserved: [],
    strict: false,
  };
}

const backend = () =>
  open({
    service: optional(open({
      name: name(),
      port: optional(open({ name: optional(text()), number: optional(port()) })),
    })),
    resource: optional(Type.Any()),
  });

const ingress = open({
  apiVersion: apiVersion(),
  kind: Type.Literal("Ingress"),
  metadata: metadata(),
  spec: optional(open({
    ingressClassName: optional(text()),
    defaultBackend: optional(backend()),
    tls: optional(list(open({ hosts: optional(list(text())), secretName: optional(text()) }))),
    rules: optional(list(open({
      host: optional(text()),
      http: optional(open({
        paths: list(open({
          path: optional(text()),
          pathType: choice(["Exact", "Prefix", "ImplementationSpecific"]),
          backend: backend(),
        })),
      })),
    }))),
  })),
});

export type Ingress = Static<typeof ingress>;
export type IngressBackend = NonNullable<NonNullable<Ingress["spec"]>["defaultBackend"]>;
export const INGRESS = networking("Ingress", "ingresses", ingress);

const ingressClass = open({
  apiVersion: apiVersion(),
  kind: Type.Literal("IngressClass"),
  metadata: metadata(),
  spec: optional(open({
    controller: optional(text()),
    parameters: optional(open({
      apiGroup: optional(text()),
      kind: text(),
      name: name(),
      scope: optional(text()),
      namespace: optional(text()),
    })),
  })),
});

export type IngressClass = Static<typeof ingressClass>;
export const INGRESS_CLASS = networking("IngressClass", "ingressclasses", ingressClass, true);
