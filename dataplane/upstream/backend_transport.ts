import type { CidrSet } from "../../common/cidr.ts";
import type { ClientTls } from "../net/transport.ts";

/** Which protocol versions a backend is offered. */
export type UpstreamProtocol =
  /** HTTP/1.1 only. */
  | "http1"
  /** HTTP/2 only: by prior knowledge, or by ALPN over TLS. */
  | "http2"
  /** Over TLS, whichever ALPN settles on. */
  | "auto";

/** How connections to a backend's endpoints are made. */
export interface BackendTransport {
  readonly protocol: UpstreamProtocol;
  /** Null for cleartext. */
  readonly tls: ClientTls | null;
  /** Version of the PROXY header that precedes everything, 0 for none. */
  readonly proxyProtocol: 0 | 1 | 2;
  /** Networks that addresses must be in, checked after DNS; null for any. */
  readonly networks: CidrSet | null;
  /** Equal for two transports whose connections can stand for one another. */
  readonly key: string;
}

/** HTTP/1.1 over plain TCP. */
export const PLAIN_HTTP1: BackendTransport = {
  protocol: "http1",
  tls: null,
  proxyProtocol: 0,
  networks: null,
  key: "http1",
};
