import { createHash } from "node:crypto";
import { type GuardedTarget, openGuarded } from "../net/guarded_socket.ts";
import type { UpstreamGuard } from "../net/upstream_guard.ts";
import type { RedisLimit as RedisLimitMessage } from "../../proto/gen/novaedge/v1/config.ts";

/** Milliseconds that an answer may take; then the request is counted here. */
const DEADLINE = 20;
/** Milliseconds that a connection may take to open. */
const CONNECT = 1_000;
/** Failures in a row after which nobody is kept waiting any more. */
const FAILURES = 5;
/** Milliseconds until one request tries again. */
const PAUSE = 1_000;

/** What `ioredis` knows of a server. */
interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly servername: string };
}

/** What `ioredis` is used for. */
interface Commands {
  script(subcommand: "LOAD", text: string): Promise<unknown>;
  evalsha(sha: string, keys: number, ...rest: (string | number)[]): Promise<unknown>;
  eval(text: string, keys: number, ...rest: (string | number)[]): Promise<unknown>;
  disconnect(): void;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** What a client uses of its worker. */
export interface RedisContext {
  readonly now: () => number;
  /** Where connections may not lead. */
  readonly guard: UpstreamGuard;
}

/** A Redis server or cluster: answers soon, or not at all. */
export class RedisClient {
  #commands: Commands | null = null;
  #failures = 0;
  #retryAt = 0;
  #closed = false;
  readonly #now: () => number;

  constructor(settings: RedisLimitMessage, { now, guard }: RedisContext) {
    this.#now = now;
    void connect(settings, guard).then((commands) => {
      if (this.#closed) commands.disconnect();
      else this.#commands = commands;
    });
  }

  close(): void {
    this.#closed = true;
    this.#commands?.disconnect();
  }

  /** The result of a script; null when none came in time. */
  run(text: string, key: string, args: readonly (string | number)[]): Promise<unknown> | null {
    const commands = this.#commands;
    if (commands === null) return null;
    const now = this.#now();
    if (this.#failures >= FAILURES) {
      if (now < this.#retryAt) return null;
      this.#retryAt = now + PAUSE;
    }
    return new Promise((resolve) => {
      // Each is over once: an answer that comes too late is none.
      let over = false;
      const end = (result: unknown) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        if (result === null) this.#failed();
        else this.#failures = 0;
        resolve(result);
      };
      const timer = setTimeout(() => end(null), DEADLINE);
      evaluate(commands, text, key, args).then(end, () => end(null));
    });
  }

  #failed(): void {
    if (++this.#failures === FAILURES) this.#retryAt = this.#now() + PAUSE;
  }
}

const shas = new Map<string, string>();

async function evaluate(
  commands: Commands,
  text: string,
  key: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  let sha = shas.get(text);
  if (sha === undefined) shas.set(text, sha = createHash("sha1").update(text).digest("hex"));
  try {
    return await commands.evalsha(sha, 1, key, ...args);
  } catch (error) {
    if (!(error as Error).message.startsWith("NOSCRIPT")) throw error;
    return await commands.eval(text, 1, key, ...args);
  }
}

/** Loaded when the first policy asks for it: others need not pay for it. */
async function connect(settings: RedisLimitMessage, guard: UpstreamGuard): Promise<Commands> {
  const { AbstractConnector, Cluster, Redis } = await import("ioredis");
  /** Opens the connections to the server, or to all that a cluster names. */
  class Connector extends AbstractConnector {
    readonly #target: GuardedTarget;

    constructor(target: unknown) {
      super(CONNECT);
      const { host, port, tls } = target as RedisTarget;
      this.#target = { host, port, servername: tls?.servername ?? null };
    }

    override connect() {
      const stream = openGuarded(this.#target, guard);
      // It may fail before the client listens.
      stream.on("error", () => {});
      this.connecting = true;
      this.stream = stream;
      return Promise.resolve(stream);
    }
  }
  const { host, port, database, password, tls, cluster } = settings;
  const options = {
    Connector,
    connectTimeout: CONNECT,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times: number) => Math.min(PAUSE, 50 * times),
    ...(password === "" ? {} : { password }),
    ...(tls ? { tls: { servername: host } } : {}),
  };
  const commands =
    (cluster
      ? new Cluster([{ host, port }], { redisOptions: options, enableOfflineQueue: false })
      : new Redis({ ...options, host, port, db: database })) as unknown as Commands;
  // Failures show where a command is awaited.
  commands.on("error", () => {});
  return commands;
}
