import type { BackendKind } from "../cases.ts";
import type { Certificate } from "../certificate.ts";
import type { Scene } from "../scene.ts";

/** What every proxy is asked to do in a case. */
export interface ProxySetup {
  /** Port to listen on. */
  readonly port: number;
  /** Version of HTTP that clients speak; over TLS both are offered. */
  readonly client: "http1" | "http2";
  /** What clients are shown, null when they do not speak TLS. */
  readonly certificate: Certificate | null;
  readonly backend: BackendKind;
  readonly backendPort: number;
  /** One route, or server block, each. */
  readonly hosts: readonly string[];
  readonly workers: number;
  /** Clients that stay, many and mostly idle; undefined where a proxy's ordinary limit is far above. */
  readonly clients?: number | undefined;
  /** Files and sockets that it may have open. */
  readonly openFiles?: number | undefined;
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
  /** Why it has no part in a case, null when it has. */
  excuse?(setup: Pick<ProxySetup, "client" | "backend" | "clients">): string | null;
  /** Starts it; it need not answer yet. */
  start(scene: Scene, setup: ProxySetup): Promise<RunningProxy>;
}
