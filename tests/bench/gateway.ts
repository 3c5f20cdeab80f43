import { dirname, join } from "node:path";
import type { TransportName } from "../../dataplane/net/create_transport.ts";
import { shippedCommand } from "../support/shipped.ts";
import { freePorts } from "./ports.ts";
import { type Child, type Scene, until } from "./scene.ts";

export interface GatewayOptions {
  /** YAML by file name. */
  readonly files: Readonly<Record<string, string>>;
  readonly workers: number;
  /** Files and sockets that the dataplane may have open. */
  readonly openFiles?: number | undefined;
  /** Core of the dataplane. */
  readonly core: number | null;
  /** Core of the controller and the agent, which are not measured. */
  readonly besides: number | null;
  /** How streams are carried. */
  readonly transport?: TransportName;
  /** What the controller serves instead of a folder with the files. */
  readonly source?: readonly string[];
}

/** This gateway as three processes. */
export interface RunningGateway {
  /** The folder the controller watches. */
  readonly resources: string;
  /** Port of the controller for agents. */
  readonly grpc: number;
  readonly controller: Child;
  readonly agent: Child;
  readonly dataplane: Child;
}

/** Starts controller, agent and dataplane; resolves when the dataplane serves the files. */
export async function startGateway(scene: Scene, options: GatewayOptions): Promise<RunningGateway> {
  const { transport = "node" } = options;
  // Gateways of both kinds may be in one scene.
  const prefix = transport === "node" ? "" : `${transport}-`;
  const resources = scene.subfolder(`${prefix}resources`);
  for (const [name, text] of Object.entries(options.files)) {
    const path = join(resources, name);
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeTextFileSync(path, text);
  }
  const [grpc, admin] = freePorts(2);
  const socket = join(scene.subfolder(`${prefix}run`), "dataplane.sock");
  const dataplane = scene.spawn(
    `${prefix}dataplane`,
    shippedCommand("dataplane", [
      `--socket=${socket}`,
      `--workers=${options.workers}`,
      `--transport=${transport}`,
    ]),
    { core: options.core, openFiles: options.openFiles },
  );
  const controller = scene.spawn(
    `${prefix}controller`,
    shippedCommand("controller", [
      ...(options.source ?? [`--resources=${resources}`]),
      `--state-dir=${join(scene.folder, `${prefix}controller`)}`,
      `--grpc-port=${grpc}`,
      "--metrics-port=0",
      "--health-port=0",
    ]),
    { core: options.besides },
  );
  const agent = scene.spawn(
    `${prefix}agent`,
    shippedCommand("agent", [
      `--controller-addr=127.0.0.1:${grpc}`,
      `--dataplane-socket=${socket}`,
      `--state-dir=${join(scene.folder, `${prefix}agent`)}`,
      "--metrics-port=0",
      "--health-port=0",
      `--admin=127.0.0.1:${admin}`,
    ]),
    { core: options.besides },
  );
  await until("readiness of the gateway", [dataplane, controller, agent], () => isReady(admin));
  return { resources, grpc, controller, agent, dataplane };
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/ready`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // Not listening yet.
  }
}
