import { type Static, Type } from "typebox";
import { gatewayKind } from "./gateway_api.ts";
import { choice, list, metadata, name, optional, text } from "./schema.ts";

const open = Type.Object;

const schema = open({
  apiVersion: Type.Enum(["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha3"]),
  kind: Type.Literal("BackendTLSPolicy"),
  metadata: metadata(),
  spec: open({
    targetRefs: list(
      open({ group: text(), kind: text(), name: name(), sectionName: optional(text()) }),
      { minItems: 1, maxItems: 16 },
    ),
    validation: open({
      caCertificateRefs: optional(list(open({ group: text(), kind: text(), name: name() }))),
      wellKnownCACertificates: optional(text()),
      hostname: text({ minLength: 1 }),
      subjectAltNames: optional(list(open({
        type: choice(["Hostname", "URI"]),
        hostname: optional(text()),
        uri: optional(text()),
      }))),
    }),
    options: optional(Type.Record(Type.String(), Type.String())),
  }),
});

export type BackendTlsPolicy = Static<typeof schema>;
/** How the endpoints of Services show who they are. */
export const BACKEND_TLS_POLICY = gatewayKind("BackendTLSPolicy", "backendtlspolicies", schema);
