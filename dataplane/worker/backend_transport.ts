import { createHash } from "node:crypto";
import { CidrSet } from "../../common/cidr.ts";
import { type Backend, UpstreamProtocol } from "../../proto/gen/novaedge/v1/config.ts";
import type { ClientTls } from "../net/transport.ts";
import type { BackendTransport } from "../upstream/backend_transport.ts";
import type { LoadedCertificate } from "./certificate.ts";

/** How a backend is met, or why it cannot be met as it asks. */
export function backendTransport(
  backend: Backend,
  certificates: ReadonlyMap<string, LoadedCertificate>,
): BackendTransport | string {
  const tls = clientTls(backend, certificates);
  if (typeof tls === "string") return tls;
  const proxyProtocol = backend.proxyProtocol as 0 | 1 | 2;
  const protocol = backend.protocol === UpstreamProtocol.UPSTREAM_PROTOCOL_HTTP2
    ? "http2"
    : backend.protocol === UpstreamProtocol.UPSTREAM_PROTOCOL_HTTP1 || tls === null
    ? "http1"
    : "auto";
  const networks = backend.networks.length === 0 ? null : new CidrSet(backend.networks);
  const key = `${protocol}|${proxyProtocol}|${backend.networks.join(",")}|${keyOf(tls)}`;
  return { protocol, tls, proxyProtocol, networks, key };
}

function clientTls(
  { tls }: Backend,
  certificates: ReadonlyMap<string, LoadedCertificate>,
): ClientTls | null | string {
  if (tls === undefined) return null;
  const ca = tls.ca === "" ? null : certificates.get(tls.ca)?.ca ?? null;
  if (tls.ca !== "" && ca === null) return `CA bundle ${tls.ca} is missing`;
  const identity = tls.clientCertificate === ""
    ? null
    : certificates.get(tls.clientCertificate)?.identity ?? null;
  if (tls.clientCertificate !== "" && identity === null) {
    return `client certificate ${tls.clientCertificate} is missing`;
  }
  return { serverName: tls.serverName, ca, identity, sans: tls.sans, insecure: tls.insecure };
}

function keyOf(tls: ClientTls | null): string {
  if (tls === null) return "";
  const hash = createHash("sha256");
  for (const part of [tls.ca, tls.identity?.cert, tls.identity?.key]) {
    hash.update(part ?? "").update("|");
  }
  return JSON.stringify([tls.serverName, tls.insecure, tls.sans, hash.digest("hex")]);
}
