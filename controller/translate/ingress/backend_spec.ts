import type { ProxyBackend } from "../../../api/proxy_backend.ts";
import type { IngressSettings } from "./settings.ts";

type Spec = ProxyBackend["spec"];

const PROTOCOLS: Readonly<Record<string, Spec["protocol"]>> = {
  HTTP: "HTTP",
  HTTPS: "HTTPS",
  GRPC: "gRPC",
  GRPCS: "gRPCS",
};
const COOKIE = "INGRESSCOOKIE";

/**
 * How annotations say that a Service is met; null where they say nothing of it.
 * @param presents whether a Secret has a certificate to show, or is not there at all
 */
export function backendSpec(
  { text, flag, number }: IngressSettings,
  presents: (secret: string) => boolean,
): Spec | null {
  const spec: Partial<Spec> = {};
  const connect = number("proxy-connect-timeout");
  if (connect !== undefined) spec.connectTimeout = `${connect}s`;
  const protocol = PROTOCOLS[text("backend-protocol")?.toUpperCase() ?? ""];
  if (protocol !== undefined) spec.protocol = protocol;
  if (protocol === "HTTPS" || protocol === "gRPCS") spec.tls = tlsOf(text, presents);
  if (text("affinity") === "cookie") {
    const age = number("session-cookie-max-age");
    const sameSite = (["Strict", "Lax", "None"] as const).find((each) =>
      each === text("session-cookie-samesite")
    );
    spec.sessionAffinity = {
      type: "Cookie",
      cookieName: text("session-cookie-name") ?? COOKIE,
      cookiePath: text("session-cookie-path") ?? "/",
      ...(age === undefined ? {} : { cookieTTL: `${age}s` }),
      ...(sameSite === undefined ? {} : { sameSite }),
      secure: flag("session-cookie-secure") ?? sameSite === "None",
    };
  }
  const hashKey = hashKeyOf(text("upstream-hash-by"));
  if (hashKey !== null) Object.assign(spec, { lbPolicy: "RingHash", hashKey });
  else if (text("load-balance") === "ewma") spec.lbPolicy = "EWMA";
  return Object.keys(spec).length === 0 ? null : spec as Spec;
}

function tlsOf(
  text: IngressSettings["text"],
  presents: (secret: string) => boolean,
): NonNullable<Spec["tls"]> {
  const secret = text("proxy-ssl-secret")?.split("/").at(-1);
  const serverName = text("proxy-ssl-name");
  const verified = text("proxy-ssl-verify")?.toLowerCase() === "on";
  return {
    enabled: true,
    mode: verified ? "verify" : "skip-verify",
    ...(serverName === undefined ? {} : { serverName }),
    ...(verified && secret !== undefined ? { caCertSecretRef: secret } : {}),
    ...(secret !== undefined && presents(secret) ? { clientCertSecretRef: secret } : {}),
  };
}

/** What requests are hashed by, of one variable of nginx; null for others. */
function hashKeyOf(text: string | undefined): NonNullable<Spec["hashKey"]> | null {
  if (text === undefined) return null;
  if (text === "$request_uri") return { type: "URI" };
  const parts = /^\$(?:(remote_addr|binary_remote_addr)|(http|cookie|arg)_(\w+))$/.exec(text);
  if (parts === null) return null;
  const [, address, kind, name] = parts;
  if (address !== undefined) return { type: "ClientIP" };
  const types = { http: "Header", cookie: "Cookie", arg: "Query" } as const;
  const type = types[kind as keyof typeof types];
  return { type, name: type === "Header" ? name.replaceAll("_", "-") : name };
}
