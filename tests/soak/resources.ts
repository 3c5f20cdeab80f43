import { type Pair, secret } from "../support/authority.ts";
import { documents } from "../support/edge.ts";
import type { Ports } from "./world.ts";
import { CALM, TORN } from "./backends/grpc_service.ts";

/** Ports of the backends; `again` is a second one of the first backend. */
export interface BackendPorts {
  readonly one: number;
  readonly again: number;
  readonly silent: number;
  readonly two: number;
  readonly torn: number;
  readonly calm: number;
  readonly tornGrpc: number;
  readonly sockets: number;
}

/** What changes of the configuration while the traffic goes on: nothing of it moves traffic. */
export interface Variant {
  /** Grows with each change, so that none is without effect. */
  readonly change: number;
  /** Milliseconds that connections to backends may take. */
  readonly connectTimeout: number;
  readonly secondEndpoint: boolean;
  readonly spareListener: boolean;
  /** Rules of the used route that match nothing that is asked for. */
  readonly unusedRules: number;
  readonly certificate: Pair;
}

/** Short, so that at the end every pooled connection is gone and leaks stand out. */
const IDLE_TIMEOUT = "4s";

function backendYaml(
  name: string,
  ports: readonly number[],
  protocol: string,
  { connectTimeout }: Variant,
): string {
  const endpoints = ports.map((port) => `{ address: 127.0.0.1, port: ${port} }`).join(", ");
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec:
  endpoints: [${endpoints}]
  protocol: ${protocol}
  connectTimeout: ${connectTimeout}ms
  idleTimeout: ${IDLE_TIMEOUT}
`;
}

function rule(path: string, backend: string): string {
  return `
    - matches: [{ path: { type: PathPrefix, value: ${path} } }]
      backendRefs: [{ name: ${backend} }]`;
}

function routeYaml(name: string, host: string, rules: readonly string[]): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: ${name} }
spec:
${host === "" ? "" : `  hostnames: ["${host}"]\n`}  rules:${rules.join("")}
`;
}

function gatewayYaml({ plain, tls }: Ports, spare: number, { spareListener }: Variant): string {
  const more = spareListener
    ? `\n    - { name: spare, port: ${spare}, protocol: HTTP, address: 127.0.0.1 }`
    : "";
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: plain, port: ${plain}, protocol: HTTP, address: 127.0.0.1 }
    - name: secure
      port: ${tls}
      protocol: HTTPS
      address: 127.0.0.1
      tls: { secretRef: { name: server } }${more}
`;
}

/** Every file of the folder. */
export function files(
  ports: Ports,
  spare: number,
  backends: BackendPorts,
  variant: Variant,
): Record<string, string> {
  const { one, again, silent, two, torn, calm, tornGrpc, sockets } = backends;
  const unused = Array.from(
    { length: variant.unusedRules },
    (_, i) => rule(`/unused-${i}`, "one"),
  );
  return {
    "gateway.yaml": gatewayYaml(ports, spare, variant),
    "secret.yaml": secret("server", variant.certificate),
    "route.yaml": routeYaml("used", "", [
      ...["one", "silent", "two", "torn"].map((name) => rule(`/${name}`, name)),
      rule(`/${CALM}`, "calm"),
      rule(`/${TORN}`, "torn-grpc"),
      rule("/ws", "sockets"),
      ...unused,
    ]),
    "backends.yaml": documents(
      backendYaml("one", variant.secondEndpoint ? [one, again] : [one], "HTTP", variant),
      backendYaml("silent", [silent], "HTTP", variant),
      backendYaml("two", [two], "HTTP2", variant),
      backendYaml("torn", [torn], "HTTP2", variant),
      backendYaml("calm", [calm], "gRPC", variant),
      backendYaml("torn-grpc", [tornGrpc], "gRPC", variant),
      backendYaml("sockets", [sockets], "HTTP", variant),
    ),
    "other.yaml": documents(
      routeYaml("other", `h${variant.change}.example.com`, [rule("/", "nobody")]),
      backendYaml("nobody", [1 + variant.change], "HTTP", variant),
    ),
  };
}
