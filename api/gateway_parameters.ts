import { type Static, Type } from "typebox";
import type { KindDefinition } from "./kind.ts";
import { closed, list, metadata, optional, port, text } from "./schema.ts";

const schema = closed({
  apiVersion: Type.Literal("novaedge.io/v1alpha1"),
  kind: Type.Literal("GatewayParameters"),
  metadata: metadata(),
  spec: closed({
    addressPools: optional(list(text({ minLength: 1 }), {
      maxItems: 64,
      description:
        "Networks (CIDR) or single addresses that Gateways may ask for, and get one of when they ask for none. " +
        "With both families each Gateway gets an address of each.",
    })),
    ingressPorts: optional(closed({
      http: optional(port({ description: "80 by default." })),
      https: optional(port({ description: "443 by default." })),
    }, {
      description: "Where the Ingresses of an IngressClass with these parameters are served.",
    })),
    defaultCertificateRef: optional(closed({ name: text({ minLength: 1 }) }, {
      description:
        "Secret in this namespace whose certificate is served for hosts of Ingresses that name no Secret, or one " +
        "that cannot be used, and to clients that ask for no name.",
    })),
    nodeSelector: optional(Type.Record(Type.String(), Type.String(), {
      description: "Labels of the nodes that serve the Gateways; all nodes when empty.",
    })),
  }),
});

export type GatewayParameters = Static<typeof schema>;
/** Parameters of a GatewayClass (spec.parametersRef) or of one Gateway (spec.infrastructure.parametersRef). */
export const GATEWAY_PARAMETERS: KindDefinition<typeof schema> = {
  group: "novaedge.io",
  version: "v1alpha1",
  kind: "GatewayParameters",
  plural: "gatewayparameters",
  shortNames: ["gwp"],
  schema,
  status: null,
  columns: [
    { name: "Pools", type: "string", jsonPath: ".spec.addressPools" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  rules: [],
  unserved: [],
  strict: true,
};
