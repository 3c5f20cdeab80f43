import { createServer } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { Server } from "node:net";
import { Authority, secret } from "./authority.ts";
import { echo, ended, listening, portOf, service } from "./echo_services.ts";
import { documents } from "./edge.ts";
import { freePort, Program } from "./programs.ts";

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
    await listening(servers);
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
        // The password is "test", of a user each by {SHA}, apr1 and a kind that is not served.
        `apiVersion: v1
kind: Secret
metadata: { name: users }
stringData:
  auth: |
    ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=
    tim:$apr1$abcdefgh$/cesMUEGhga5MgaTGywaW0
    eve:$6$abcdefgh$x
`,
      ],
      portOf(auth),
      servers,
      deaf,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deaf.end("SIGKILL");
    await ended(this.#servers);
  }
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
