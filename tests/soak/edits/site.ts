import { join } from "node:path";
import { Authority, type Pair, secret } from "../../support/authority.ts";
import { backend } from "../../support/edge.ts";

/** Routes under load. */
export const ROUTES = 10;

export const routeHost = (route: number) => `r${route}.example.com`;

/** A route whose responses say which version of it served. */
export function versionedRoute(route: number, version: number, target = "blue"): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: r${route} }
spec:
  hostnames: [${routeHost(route)}]
  rules:
    - filters: [{ type: ResponseSetHeader, responseSet: [{ name: X-Version, value: "${version}" }] }]
      backendRefs: [{ name: ${target} }]
`;
}

/** The folder that is edited: a site served by TLS. */
export class EditedSite {
  readonly #texts = new Map<string, string>();

  private constructor(
    readonly folder: string,
    readonly secure: number,
    readonly pairs: readonly Pair[],
    readonly backends: string,
  ) {}

  /** @param ports of the TLS listener, of Ingresses in the clear and by TLS, and of two backends */
  static async create(
    folder: string,
    ports: { secure: number; ingress: [number, number]; blue: number; green: number },
  ): Promise<EditedSite> {
    const authority = await Authority.create();
    const issue = () => authority.issue({ name: "site", dns: ["*.example.com"] });
    const pairs = [await issue(), await issue()];
    const backends = `${backend("blue", ports.blue)}---\n${backend("green", ports.green)}`;
    const site = new EditedSite(folder, ports.secure, pairs, backends);
    await Deno.mkdir(join(folder, "routes"), { recursive: true });
    await site.write("gateway.yaml", site.gateway("site"));
    await site.write("secret.yaml", secret("site", pairs[0]));
    await site.write("backends.yaml", backends);
    await site.write("class.yaml", ingressClass(ports.ingress));
    for (let route = 0; route < ROUTES; route++) {
      await site.write(`routes/r${route}.yaml`, versionedRoute(route, 0));
    }
    return site;
  }

  gateway(secretName: string): string {
    return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: https, port: ${this.secure}, protocol: HTTPS, address: 127.0.0.1, tls: { secretRef: { name: ${secretName} } } }
`;
  }

  /** Saves a good text: it is what the file is put back to. */
  async write(file: string, text: string): Promise<void> {
    this.#texts.set(file, text);
    await this.save(file, text);
  }

  /** Saves a text as editors do: another file takes the name. */
  async save(file: string, text: string | Uint8Array): Promise<void> {
    const next = join(this.folder, `.next-${crypto.randomUUID()}`);
    if (typeof text === "string") await Deno.writeTextFile(next, text);
    else await Deno.writeFile(next, text);
    await Deno.rename(next, join(this.folder, file));
  }

  /** Puts a file back to its last good text, or takes it away. */
  async restore(file: string): Promise<void> {
    const text = this.#texts.get(file);
    if (text === undefined) await Deno.remove(join(this.folder, file));
    else await this.save(file, text);
  }
}

function ingressClass([http, https]: readonly [number, number]): string {
  return `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: novaedge }
spec:
  controller: novaedge.io/ingress-controller
  parameters: { apiGroup: novaedge.io, kind: GatewayParameters, scope: Namespace, namespace: default, name: ingress }
---
apiVersion: novaedge.io/v1alpha1
kind: GatewayParameters
metadata: { name: ingress }
spec: { ingressPorts: { http: ${http}, https: ${https} } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ port: 80 }] }
`;
}
