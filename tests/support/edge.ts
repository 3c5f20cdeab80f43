import { join } from "node:path";
import { freePort, type Program, startProgram } from "./programs.ts";

/** Options of a test edge. */
export interface EdgeOptions {
  readonly workers?: number;
  readonly dataplaneArgs?: string[];
  readonly agentArgs?: string[];
  readonly controllerArgs?: string[];
  /** What is served instead of the folder. */
  readonly sourceArgs?: string[];
}

/** Controller, agent and dataplane as three processes over a temporary folder. */
export class Edge {
  readonly folder: string;
  readonly admin: number = freePort();
  controller!: Program;
  agent!: Program;
  dataplane!: Program;
  readonly #options: EdgeOptions;

  private constructor(folder: string, options: EdgeOptions) {
    this.folder = folder;
    this.#options = options;
  }

  /** Starts the three with these files and waits until the configuration is applied. */
  static async start(files: Record<string, string>, options: EdgeOptions = {}): Promise<Edge> {
    const edge = await Edge.prepare(files, options);
    edge.startDataplane();
    edge.startController();
    edge.startAgent();
    await edge.served();
    return edge;
  }

  /** Resolves when the dataplane runs what the agent holds. */
  async served(from = 0): Promise<void> {
    await this.agent.line(
      /configuration applied.*"dataplane":true|"dataplane":true.*configuration applied|the dataplane runs/,
      from,
    );
  }

  /** Makes the folder without starting anything. */
  static async prepare(files: Record<string, string>, options: EdgeOptions = {}): Promise<Edge> {
    const edge = new Edge(await Deno.makeTempDir({ prefix: "novaedge-" }), options);
    await Deno.mkdir(edge.resources);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(edge.resources, name), text);
    }
    return edge;
  }

  get resources(): string {
    return join(this.folder, "resources");
  }

  get dataplaneSocket(): string {
    return join(this.folder, "dataplane.sock");
  }

  startController(): Program {
    return this.controller = startProgram("controller", [
      ...(this.#options.sourceArgs ?? ["--resources", this.resources]),
      ...["--state-dir", join(this.folder, "controller")],
      ...["--grpc-socket", join(this.folder, "controller.sock"), "--log-level", "debug"],
      ...["--metrics-port", "0", "--health-port", "0", ...(this.#options.controllerArgs ?? [])],
    ]);
  }

  startAgent(): Program {
    return this.agent = startProgram("agent", [
      ...[
        "--controller-addr",
        `unix:${join(this.folder, "controller.sock")}`,
        "--node-name",
        "test",
      ],
      ...["--dataplane-socket", this.dataplaneSocket, "--state-dir", join(this.folder, "agent")],
      ...["--metrics-port", "0", "--health-port", "0", "--admin", `127.0.0.1:${this.admin}`],
      ...(this.#options.agentArgs ?? []),
    ]);
  }

  startDataplane(args: readonly string[] = []): Program {
    return this.dataplane = startProgram("dataplane", [
      ...["--socket", this.dataplaneSocket, "--workers", String(this.#options.workers ?? 2)],
      ...["--drain-timeout", "2", ...(this.#options.dataplaneArgs ?? [])],
      ...args,
    ]);
  }

  /** Replaces a resource file by an atomic rename; resolves when the dataplane has applied the change. */
  async change(name: string, text: string): Promise<void> {
    const mark = this.controller.mark;
    const agentMark = this.agent.mark;
    await this.write(name, text);
    const translated = JSON.parse(await this.controller.line(/"translated"/, mark));
    const wanted = Number(translated.version.split(".")[1]);
    await this.agent.line((line) => {
      if (!line.includes('"configuration applied"')) return false;
      return Number(JSON.parse(line).version.split(".")[1]) >= wanted;
    }, agentMark);
  }

  /** Replaces a resource file by an atomic rename. */
  async write(name: string, text: string): Promise<void> {
    const temporary = join(this.folder, "next.yaml");
    await Deno.writeTextFile(temporary, text);
    await Deno.rename(temporary, join(this.resources, name));
  }

  /** GET of the admin API. */
  async get(path: string): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.admin}${path}`);
  }

  // deno-lint-ignore no-explicit-any
  async json(path: string): Promise<any> {
    return await (await this.get(path)).json();
  }

  /** Value of a metric, by its line's start; 0 when absent. */
  async metric(series: string): Promise<number> {
    const text = await (await this.get("/metrics")).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const programs = [this.agent, this.controller, this.dataplane].filter((program) =>
      program !== undefined
    );
    await Promise.all(programs.map((program) => program.end("SIGKILL")));
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A ProxyGateway with plain listeners on these ports. */
export function gateway(name: string, ...ports: number[]): string {
  const listeners = ports.map((port, i) => `
    - { name: http${i === 0 ? "" : i}, port: ${port}, protocol: HTTP, address: 127.0.0.1 }`);
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: ${name} }
spec:
  listeners:${listeners.join("")}
`;
}

/** A ProxyGateway with a listener in the clear, and one of TLS with the certificate of a Secret. */
export function secureGateway(name: string, plain: number, secure: number, secret: string): string {
  return `${gateway(name, plain)}    - name: tls
      port: ${secure}
      protocol: HTTPS
      address: 127.0.0.1
      tls: { secretRef: { name: ${secret} } }
`;
}

/** A ProxyRoute from one prefix to one backend. */
export function route(
  name: string,
  backend: string,
  options: { host?: string; path?: string } = {},
): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: ${name} }
spec:
${options.host === undefined ? "" : `  hostnames: ["${options.host}"]\n`}  rules:
    - matches: [{ path: { type: PathPrefix, value: "${options.path ?? "/"}" } }]
      backendRefs: [{ name: ${backend} }]
`;
}

/** A ProxyBackend with endpoints on loopback. */
export function backend(name: string, ...ports: number[]): string {
  const endpoints = ports.map((port) => `{ address: 127.0.0.1, port: ${port} }`);
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec:
  endpoints: [${endpoints.join(", ")}]
`;
}

/** Documents of one file. */
export function documents(...parts: string[]): string {
  return parts.join("---\n");
}
