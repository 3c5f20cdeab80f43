import { type Static, type TSchema, Type } from "typebox";
import type { KindDefinition } from "./kind.ts";
import { labelSelector } from "./label_selector.ts";
import {
  choice,
  hostname,
  list,
  metadata,
  name,
  namespace,
  optional,
  port,
  text,
} from "./schema.ts";

/** Kinds of the Gateway API (v1.7) that translation reads; fields we do not read may be there. */

export const GATEWAY_API = "gateway.networking.k8s.io";

/** Name of the controller that GatewayClasses must have to be ours. */
export const CONTROLLER_NAME = "novaedge.io/gateway-controller";

const open = Type.Object;

/** Definition of a kind of the group. */
export function gatewayKind<T extends TSchema>(
  kind: string,
  plural: string,
  schema: T,
  clusterScoped = false,
): KindDefinition<T> {
  return {
    group: GATEWAY_API,
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

export const apiVersion = () => Type.Enum([`${GATEWAY_API}/v1`, `${GATEWAY_API}/v1beta1`]);

const gatewayClass = open({
  apiVersion: apiVersion(),
  kind: Type.Literal("GatewayClass"),
  metadata: metadata(),
  spec: open({
    controllerName: text({ minLength: 1 }),
    parametersRef: optional(open({
      group: text(),
      kind: text(),
      name: text({ minLength: 1 }),
      namespace: optional(namespace()),
    })),
  }),
});

export type GatewayClass = Static<typeof gatewayClass>;
export const GATEWAY_CLASS = gatewayKind("GatewayClass", "gatewayclasses", gatewayClass, true);

export const secretRef = () =>
  open({
    group: optional(text()),
    kind: optional(text()),
    name: name(),
    namespace: optional(namespace()),
  });

const fromNamespaces = () =>
  open({
    from: optional(choice(["All", "Selector", "Same", "None"], { default: "Same" })),
    selector: optional(labelSelector()),
  });

/** What clients must show of themselves. */
const frontendValidation = () =>
  open({
    caCertificateRefs: list(secretRef(), { minItems: 1 }),
    mode: optional(
      choice(["AllowValidOnly", "AllowInsecureFallback"], { default: "AllowValidOnly" }),
    ),
  });

const gatewayListener = open({
  name: name(),
  hostname: optional(hostname()),
  port: port(),
  protocol: text({ minLength: 1 }),
  tls: optional(open({
    mode: optional(choice(["Terminate", "Passthrough"], { default: "Terminate" })),
    certificateRefs: optional(list(secretRef(), { maxItems: 64 })),
    options: optional(Type.Record(Type.String(), Type.String())),
  })),
  allowedRoutes: optional(open({
    namespaces: optional(fromNamespaces()),
    kinds: optional(list(open({ group: optional(text()), kind: text() }))),
  })),
});

const gateway = open({
  apiVersion: apiVersion(),
  kind: Type.Literal("Gateway"),
  metadata: metadata(),
  spec: open({
    gatewayClassName: text({ minLength: 1 }),
    listeners: list(gatewayListener, { minItems: 1, maxItems: 64 }),
    addresses: optional(list(open({ type: optional(text()), value: optional(text()) }))),
    infrastructure: optional(open({
      labels: optional(Type.Record(Type.String(), Type.String())),
      annotations: optional(Type.Record(Type.String(), Type.String())),
      parametersRef: optional(open({ group: text(), kind: text(), name: text({ minLength: 1 }) })),
    })),
    allowedListeners: optional(open({ namespaces: optional(fromNamespaces()) })),
    tls: optional(open({
      backend: optional(open({ clientCertificateRef: optional(secretRef()) })),
      frontend: optional(open({
        default: open({ validation: optional(frontendValidation()) }),
        perPort: optional(list(open({
          port: port(),
          tls: open({ validation: optional(frontendValidation()) }),
        }))),
      })),
    })),
  }),
});

export type Gateway = Static<typeof gateway>;
export type GatewayListener = Gateway["spec"]["listeners"][number];
export const GATEWAY = gatewayKind("Gateway", "gateways", gateway);

const listenerSet = open({
  apiVersion: apiVersion(),
  kind: Type.Literal("ListenerSet"),
  metadata: metadata(),
  spec: open({
    parentRef: open({
      group: optional(text()),
      kind: optional(text()),
      namespace: optional(namespace()),
      name: name(),
    }),
    listeners: list(gatewayListener, { minItems: 1, maxItems: 64 }),
  }),
});

export type ListenerSet = Static<typeof listenerSet>;
/** Listeners that somebody else adds to a Gateway. */
export const LISTENER_SET = gatewayKind("ListenerSet", "listenersets", listenerSet);
