import { createPublicKey } from "node:crypto";
import { join } from "node:path";
import { Authority, type Pair } from "../support/authority.ts";
import { freePort, Program } from "../support/programs.ts";
import { ApiClient } from "../../controller/source/kubernetes/api_client.ts";
import { binaries, CONTROL_PLANE } from "./binaries.ts";

const CACHE = join(import.meta.dirname!, "../../.cache/kubernetes");

/** A real API server with its etcd, and nothing else of a cluster: objects without nodes. */
export class ApiServer {
  readonly #folder: string;
  readonly #authority: Authority;
  readonly #admin: Pair;
  readonly #ports: { etcd: number; peer: number; api: number };
  etcd!: Program;
  server!: Program;

  private constructor(folder: string, authority: Authority, admin: Pair) {
    this.#folder = folder;
    this.#authority = authority;
    this.#admin = admin;
    this.#ports = { etcd: freePort(), peer: freePort(), api: freePort() };
  }

  static async start(): Promise<ApiServer> {
    await binaries(CACHE, CONTROL_PLANE);
    const folder = await Deno.makeTempDir({ prefix: "novaedge-api-" });
    const authority = await Authority.create("cluster");
    const admin = await authority.issue({ name: "admin", organization: "system:masters" });
    const out = new ApiServer(folder, authority, admin);
    await out.#prepare();
    out.startEtcd();
    await out.startServer();
    return out;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#ports.api}`;
  }

  /** A kubeconfig of an administrator. */
  get kubeconfig(): string {
    return join(this.#folder, "kubeconfig");
  }

  /** The key that signs tokens of ServiceAccounts, PEM. */
  get accountKey(): string {
    return Deno.readTextFileSync(join(this.#folder, "account.key"));
  }

  /** A client of an administrator. */
  client(): ApiClient {
    const { certificate: cert, key } = this.#admin;
    return new ApiClient({
      server: this.url,
      ca: this.#authority.certificate,
      certificate: { cert, key },
      token: () => "",
    });
  }

  startEtcd(): void {
    const { etcd, peer } = this.#ports;
    const url = (port: number) => `http://127.0.0.1:${port}`;
    this.etcd = new Program("etcd", join(CACHE, "etcd"), [
      `--data-dir=${join(this.#folder, "etcd")}`,
      `--listen-client-urls=${url(etcd)}`,
      `--advertise-client-urls=${url(etcd)}`,
      `--listen-peer-urls=${url(peer)}`,
      `--initial-advertise-peer-urls=${url(peer)}`,
      `--initial-cluster=default=${url(peer)}`,
      "--log-level=error",
    ]);
  }

  /** Resolves when the API server is ready. */
  async startServer(): Promise<void> {
    const file = (name: string) => join(this.#folder, name);
    this.server = new Program("kube-apiserver", join(CACHE, "kube-apiserver"), [
      `--etcd-servers=http://127.0.0.1:${this.#ports.etcd}`,
      "--advertise-address=127.0.0.1",
      "--bind-address=127.0.0.1",
      `--secure-port=${this.#ports.api}`,
      `--tls-cert-file=${file("server.crt")}`,
      `--tls-private-key-file=${file("server.key")}`,
      `--client-ca-file=${file("ca.crt")}`,
      `--service-account-key-file=${file("account.pub")}`,
      `--service-account-signing-key-file=${file("account.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=Node,RBAC",
      // Nobody is there to make them.
      "--disable-admission-plugins=ServiceAccount",
    ]);
    await this.#ready();
  }

  async #ready(): Promise<void> {
    const { certificate: cert, key } = this.#admin;
    const client = Deno.createHttpClient({ caCerts: [this.#authority.certificate], cert, key });
    const end = Date.now() + 60_000;
    for (;;) {
      const answer = await fetch(`${this.url}/readyz`, { client }).catch(() => null);
      await answer?.body?.cancel();
      if (answer?.ok === true) break;
      if (Date.now() > end) {
        throw new Error(`no API server:\n${this.server.lines.slice(-20).join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    client.close();
  }

  async #prepare(): Promise<void> {
    const server = await this.#authority.issue({ name: "kube-apiserver", ips: ["127.0.0.1"] });
    const write = (name: string, text: string) =>
      Deno.writeTextFile(join(this.#folder, name), text);
    await write("ca.crt", this.#authority.certificate);
    await write("server.crt", server.certificate);
    await write("server.key", server.key);
    await write("account.key", server.key);
    const published = createPublicKey(server.key).export({ type: "spki", format: "pem" });
    await write("account.pub", String(published));
    await write("admin.crt", this.#admin.certificate);
    await write("admin.key", this.#admin.key);
    const cluster = { server: this.url, "certificate-authority": "ca.crt" };
    const user = { "client-certificate": "admin.crt", "client-key": "admin.key" };
    await write(
      "kubeconfig",
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "c", cluster }],
        users: [{ name: "u", user }],
        contexts: [{ name: "d", context: { cluster: "c", user: "u" } }],
        "current-context": "d",
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.end("SIGKILL");
    await this.etcd.end("SIGKILL");
    await Deno.remove(this.#folder, { recursive: true });
  }
}
