import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Server } from "node:net";
import type { TLSSocket } from "node:tls";
import { documents } from "./edge.ts";

/** What a backend that tells saw of a request. */
export interface Echo {
  readonly backend: string;
  readonly version: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Common name of the certificate that the gateway showed, "" for none. */
  readonly client: string;
}

/** Answers with what it saw; `/silent` never, and `/missing` with 404. */
export function echo(backend: string): RequestListener {
  return (request, response) => {
    request.resume();
    request.on("error", () => {});
    response.on("error", () => {});
    const path = request.url?.split("?")[0];
    if (path === "/silent") return;
    const seen = {
      backend,
      version: request.httpVersion,
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      ),
      client: clientOf(request),
    };
    response.writeHead(path === "/missing" ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(seen));
  };
}

function clientOf({ socket }: IncomingMessage): string {
  const { getPeerCertificate } = socket as Partial<TLSSocket>;
  return String(getPeerCertificate?.call(socket)?.subject?.CN ?? "");
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Resolves when all listen, each on a port of its own. */
export async function listening(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) =>
    new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    })
  ));
}

/** Ends servers with the connections that they have. */
export async function ended(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => {
    if ("closeAllConnections" in server) {
      (server as ReturnType<typeof createServer>).closeAllConnections();
    }
    return new Promise((resolve) => server.close(resolve));
  }));
}

/** A Service with an EndpointSlice for each port on loopback. */
export function service(name: string, ports: readonly number[]): string {
  const slices = ports.map((port, i) =>
    `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-${i}, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: http, port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]
`
  );
  return documents(
    `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: http, port: 80 }] }
`,
    ...slices,
  );
}
