import { UpstreamProtocol, type UpstreamTls } from "../../proto/gen/novaedge/v1/config.ts";
import { authoritiesProblem, certificateProblem } from "./certificate.ts";
import type { Conditions } from "./conditions.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** How a backend's endpoints are met. */
export interface Upstream {
  readonly protocol: UpstreamProtocol;
  readonly tls: UpstreamTls | undefined;
  /** Non-empty when they cannot be met as asked. */
  readonly closedReason: string;
}

interface Spoken {
  readonly protocol: UpstreamProtocol;
  readonly secure: boolean;
}

const PLAIN: Spoken = {
  protocol: UpstreamProtocol.UPSTREAM_PROTOCOL_UNSPECIFIED,
  secure: false,
};
const SECURE: Spoken = { ...PLAIN, secure: true };
const HTTP2: Spoken = { protocol: UpstreamProtocol.UPSTREAM_PROTOCOL_HTTP2, secure: false };
const HTTP1: Spoken = { protocol: UpstreamProtocol.UPSTREAM_PROTOCOL_HTTP1, secure: false };

/** spec.protocol of a ProxyBackend. */
const PROTOCOLS: Readonly<Record<string, Spoken>> = {
  HTTP: PLAIN,
  HTTPS: SECURE,
  HTTP2,
  gRPC: HTTP2,
  gRPCS: { ...HTTP2, secure: true },
};

/** appProtocol of a Service port, where the backend itself says nothing. */
const APP_PROTOCOLS: ReadonlyMap<string, Spoken> = new Map([
  ["", PLAIN],
  ["tcp", PLAIN],
  ["http", PLAIN],
  ["https", SECURE],
  ["http2", HTTP2],
  ["h2c", HTTP2],
  ["grpc", HTTP2],
  ["ws", HTTP1],
  ["wss", { ...HTTP1, secure: true }],
  ["kubernetes.io/h2c", HTTP2],
  ["kubernetes.io/ws", HTTP1],
  ["kubernetes.io/wss", { ...HTTP1, secure: true }],
]);

/** What a Service port speaks by its appProtocol; null for what is not served. */
export function appProtocolOf(appProtocol: string): Spoken | null {
  return APP_PROTOCOLS.get(appProtocol.toLowerCase()) ?? null;
}

/** Decides protocol and TLS of a backend. */
export function upstreamOf(
  backend: SourceObject<"ProxyBackend">,
  appProtocol: string,
  view: View,
  conditions: Conditions,
): Upstream {
  const { spec } = backend.body;
  const told = spec.protocol === undefined ? appProtocolOf(appProtocol) : PROTOCOLS[spec.protocol];
  if (told === null) {
    const message =
      `appProtocol "${appProtocol}" of the Service is not served; spec.protocol may say another`;
    conditions.fail("ResolvedRefs", "UnsupportedProtocol", message);
  }
  const spoken = told ?? PLAIN;
  const secure = spoken.secure || spec.tls?.enabled === true;
  const unserved = told === null ? `appProtocol "${appProtocol}" is not served` : "";
  if (!secure) return { protocol: spoken.protocol, tls: undefined, closedReason: unserved };
  const {
    mode = "verify",
    serverName = "",
    caCertSecretRef,
    clientCertSecretRef,
    insecureSkipVerify = false,
    subjectAltNames = [],
  } = spec.tls ?? {};
  let closedReason = unserved;
  const secret = (name: string | undefined, problemOf: typeof certificateProblem): string => {
    if (name === undefined) return "";
    const label = `${backend.namespace}/${name}`;
    const found = view.get("Secret", backend.namespace, name);
    const problem = found === null ? "not found" : problemOf(found.body);
    if (problem !== null) {
      conditions.fail("ResolvedRefs", "InvalidCertificateRef", `Secret ${label}: ${problem}`);
      closedReason ||= `Secret ${label} cannot be used`;
    }
    return objectKey({ kind: "Secret", namespace: backend.namespace, name });
  };
  if (mode === "mtls" && clientCertSecretRef === undefined) {
    conditions.fail("Accepted", "InvalidTLS", "mode mtls needs clientCertSecretRef");
    closedReason = "tls.mode mtls without clientCertSecretRef";
  }
  const tls = {
    serverName,
    ca: secret(caCertSecretRef, authoritiesProblem),
    clientCertificate: secret(clientCertSecretRef, certificateProblem),
    insecure: mode === "skip-verify" || insecureSkipVerify,
    sans: subjectAltNames,
  };
  return { protocol: spoken.protocol, tls, closedReason };
}
