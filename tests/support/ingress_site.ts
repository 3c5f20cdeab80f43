import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo, Server } from "node:net";
import type { TLSSocket } from "node:tls";
import { Authority, secret } from "./authority.ts";
import { documents } from "./edge.ts";
import { freePort, Program } from "./programs.ts";

/** What a backend of the site saw of a request. */
export interface Echo {
  readonly backend: string;
  readonly version: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Common name of the certificate that the gateway showed, "" for none. */
  readonly client: string;
}

/** Backends as Services, and a class of Ingresses for them. */
export class IngressSite {
  readonly http: number = freePort();
  readonly https: number = freePort();
  readonly manifests: string;
  /** Base URL of what answers whether requests may pass: those with `x-pass: yes`. */
  readonly auth: string;
  readonly #servers: readonly Server[];
  readonly #deaf: Program;

  private constructor(manifests: string[], auth: number, servers: Server[], deaf: Program) {
    const ports = { http: this.http, https: this.https };
    this.manifests = documents(ingressClass(ports), ...manifests);
    this.auth = `http://127.0.0.1:${auth}`;
    this.#servers = servers;
    this.#deaf = deaf;
  }

  static async start(): Promise<IngressSite> {
    const authority = await Authority.create("trusted");
    const foreign = await Authority.create("foreign");
    const inner = await authority.issue({ name: "inner", dns: ["inner.example.com"] });
    const tls = { cert: inner.certificate, key: inner.key };
    const asking = { ...tls, requestCert: true, rejectUnauthorized: false };
    const auth = createServer((request, response) => {
      response.writeHead(request.headers["x-pass"] === "yes" ? 200 : 401, { "x-user": "ann" });
      response.end();
    });
    const backends: Readonly<Record<string, Server>> = {
      web: createServer(echo("web")),
      next: createServer(echo("next")),
      secure: https.createServer(asking, echo("secure")),
      grpc: http2.createServer(echo("grpc") as never),
      grpcs: http2.createSecureServer(tls, echo("grpcs") as never),
    };
    const servers = [...Object.values(backends), auth];
    await Promise.all(servers.map((server) =>
      new Promise<void>((resolve) => {
        server.listen(0, "127.0.0.1", resolve);
      })
    ));
    const services = Object.entries(backends).map(([name, server]) =>
      service(name, [portOf(server)])
    );
    const [deaf, deafPort] = await startDeaf();
    return new IngressSite(
      [
        ...services,
        service("pair", [portOf(backends.web), portOf(backends.next)]),
        service("deaf", [deafPort]),
        secret("trusted", null, authority.certificate),
        secret("foreign", null, foreign.certificate),
        secret("shown", await authority.issue({ name: "edge" }), authority.certificate),
        secret("site", await authority.issue({ name: "site", dns: ["*.example.com"] })),
        // The password is "test".
        `apiVersion: v1
kind: Secret
metadata: { name: users }
stringData: { auth: "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=" }
`,
      ],
      portOf(auth),
      servers,
      deaf,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deaf.end("SIGKILL");
    await Promise.all(this.#servers.map((server) => {
      if ("closeAllConnections" in server) (server as https.Server).closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }));
  }
}

/** Answers with what it saw; `/silent` never, and `/missing` with 404. */
function echo(backend: string): RequestListener {
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

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** A port whose queue of connections is full, and which never takes one out: a connection is not made. */
async function startDeaf(): Promise<[Program, number]> {
  const script = `
    const net = require("node:net");
    const server = net.createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      const { port } = server.address();
      for (let i = 0; i < 8; i++) net.connect(port, "127.0.0.1").on("error", () => {});
      process.stdout.write("port " + port + "\\n", () =>
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    });`;
  const program = new Program("deaf", "node", ["-e", script]);
  const line = await program.line(/^port /);
  return [program, Number(line.slice(5))];
}

function ingressClass(ports: { http: number; https: number }): string {
  return `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: novaedge }
spec:
  controller: novaedge.io/ingress-controller
  parameters:
    { apiGroup: novaedge.io, kind: GatewayParameters, scope: Namespace, namespace: default, name: ingress }
---
apiVersion: novaedge.io/v1alpha1
kind: GatewayParameters
metadata: { name: ingress }
spec: { ingressPorts: ${JSON.stringify(ports)} }
`;
}

function service(name: string, ports: readonly number[]): string {
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

/** One Ingress of a table. */
export interface IngressCase {
  /** Without their prefix. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly host: string;
  readonly path?: string;
  readonly service?: string;
  readonly tls?: boolean;
}

/** An Ingress of the class. */
export function ingress(
  { annotations, host, path = "/", service = "web", tls = false }: IngressCase,
  name = host.split(".")[0],
): string {
  const prefixed = Object.fromEntries(
    Object.entries(annotations).map((
      [key, value],
    ) => [`nginx.ingress.kubernetes.io/${key}`, value]),
  );
  const secured = tls ? `\n  tls: [{ hosts: ["${host}"], secretName: site }]` : "";
  return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: ${name}, annotations: ${JSON.stringify(prefixed)} }
spec:
  ingressClassName: novaedge${secured}
  rules:
    - host: ${host}
      http:
        paths:
          - path: ${JSON.stringify(path)}
            pathType: ImplementationSpecific
            backend: { service: { name: ${service}, port: { number: 80 } } }
`;
}
