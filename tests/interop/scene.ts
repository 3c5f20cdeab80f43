import { join } from "node:path";
import { Authority, type Pair, secret } from "../support/authority.ts";
import { type TestBackend, textBackend } from "../support/backends.ts";
import { backend, documents, Edge } from "../support/edge.ts";
import { freePort } from "../support/programs.ts";

/** An edge with a plain and a TLS listener, and files with its certificate for other programs. */
export class Scene implements AsyncDisposable {
  readonly plain = freePort();
  readonly secure = freePort();
  readonly folder: string;
  readonly pair: Pair;
  readonly authority: Authority;
  edge!: Edge;
  #default!: TestBackend;

  private constructor(folder: string, authority: Authority, pair: Pair) {
    this.folder = folder;
    this.authority = authority;
    this.pair = pair;
  }

  /** @param resources documents beside the gateway; routes to them in `rules`, in YAML flow form */
  static async start(
    rules: readonly string[] = [],
    resources: readonly string[] = [],
    listenerOptions = "",
  ): Promise<Scene> {
    const authority = await Authority.create();
    const pair = await authority.issue({
      name: "localhost",
      dns: ["localhost"],
      ips: ["127.0.0.1"],
    });
    const scene = new Scene(await Deno.makeTempDir({ prefix: "novaedge-" }), authority, pair);
    await Deno.writeTextFile(scene.file("ca.pem"), authority.certificate);
    await Deno.writeTextFile(scene.file("cert.pem"), pair.certificate);
    await Deno.writeTextFile(scene.file("key.pem"), pair.key);
    await Deno.writeTextFile(scene.file("both.pem"), pair.key + pair.certificate);
    scene.#default = textBackend("hello from the backend\n");
    scene.edge = await Edge.start({
      "all.yaml": documents(
        `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: plain, port: ${scene.plain}, protocol: HTTP, address: 127.0.0.1${listenerOptions} }
    - { name: secure, port: ${scene.secure}, protocol: HTTPS, address: 127.0.0.1, tls: { secretRef: { name: server } } }
`,
        `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec:
  rules:${rules.map((rule) => `\n    - ${rule}`).join("")}
    - backendRefs: [{ name: default }]
`,
        secret("server", pair, authority.certificate),
        backend("default", scene.#default.port),
        ...resources,
      ),
    });
    return scene;
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.edge[Symbol.asyncDispose]();
    await this.#default[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A rule in YAML flow form from a path prefix to a backend. */
export function rule(prefix: string, name: string): string {
  return `{ matches: [{ path: { type: PathPrefix, value: "${prefix}" } }], backendRefs: [{ name: ${name} }] }`;
}

/** A ProxyBackend on loopback with fields of its spec. */
export function backendWith(name: string, port: number, fields: string): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec: { endpoints: [{ address: 127.0.0.1, port: ${port} }], ${fields} }
`;
}
