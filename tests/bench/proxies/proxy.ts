import type { Scene } from "../scene.ts";

/** What every proxy is asked to do in a case. */
export interface ProxySetup {
  /** Port to listen on. */
  readonly port: number;
  readonly backendPort: number;
  /** One route, or server block, each. */
  readonly hosts: readonly string[];
  /** Core of the proxy. */
  readonly core: number | null;
  /** Core of what belongs to a proxy but carries no traffic. */
  readonly besides: number | null;
}

/** A started proxy. */
export interface RunningProxy {
  /** Processes whose CPU time and memory count; called once it answers. */
  pids(): number[];
  /** Logs besides stdout. */
  readonly logs: readonly string[];
}

/** One of the proxies compared. */
export interface ProxyKind {
  readonly name: string;
  /** How it differs from the others in what it does. */
  readonly note: string;
  /** Null when it is not installed. */
  version(): Promise<string | null>;
  /** Starts it; it need not answer yet. */
  start(scene: Scene, setup: ProxySetup): Promise<RunningProxy>;
}
