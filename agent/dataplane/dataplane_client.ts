import { credentials } from "@grpc/grpc-js";
import { DeltaSender } from "../../common/delta/delta_sender.ts";
import {
  compareVersions,
  NO_VERSION,
  type Version,
  versionText,
} from "../../common/delta/resources.ts";
import { delay } from "../../common/backoff.ts";
import { NovaEdgeError } from "../../common/errors.ts";
import { MESSAGE_LIMITS } from "../../common/grpc.ts";
import type { Logger } from "../../common/log.ts";
import { keepConnected } from "../../common/reconnect.ts";
import {
  type ConfigMessage,
  type ConfigReply,
  DataplaneControlClient,
  type ListenerProblem,
  type Refusal,
  type StatsReply,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import type { NodeView } from "../config/node_view.ts";

const BACKOFF = { initial: 50, maximum: 1_000 };
/** Milliseconds between two looks at whether it is gone. */
const GONE = 100;

/** What the client needs of the agent. */
export interface DataplaneClientOptions {
  readonly socket: string;
  readonly view: NodeView;
  readonly log: Logger;
  /** Whether a complete configuration is held: nothing is pushed before. */
  complete(): boolean;
  /** Everything pushed so far is applied, but for `refusals`. */
  onApplied(refusals: readonly Refusal[]): void;
  onState(): void;
}

/** Pushes the node's configuration to the dataplane by deltas; reconnects for ever. */
export class DataplaneClient {
  readonly #options: DataplaneClientOptions;
  #client: DataplaneControlClient | null = null;
  #sender: DeltaSender | null = null;
  #write: ((message: ConfigMessage) => void) | null = null;
  #held: Version = NO_VERSION;
  #waited = false;
  /** Refusals not handed on yet: what was pushed is not answered completely. */
  readonly #refusals: Refusal[] = [];
  #applied: Version | null = null;
  problems: readonly ListenerProblem[] = [];

  constructor(options: DataplaneClientOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#sender !== null;
  }

  /** Version the dataplane held when it was last connected. */
  get held(): Version {
    return this.#held;
  }

  /** Version the dataplane runs, null while it is away. */
  get applied(): Version | null {
    return this.connected ? this.#applied : null;
  }

  /** The configuration changed in these keys. */
  changed(keys: readonly string[]): void {
    this.#sender?.changed(keys);
    this.#pump();
  }

  /** Resolves when the dataplane is not connected, or the signal is aborted. */
  async gone(signal: AbortSignal): Promise<void> {
    while (this.connected && !signal.aborted) await delay(GONE, signal);
  }

  stats(): Promise<StatsReply> {
    return this.#call((client, done) => client.stats({}, done));
  }

  /** JSON of the router's decision. */
  async explain(method: string, url: string, headers: Record<string, string>): Promise<string> {
    const reply = await this.#call<{ json: string }>((client, done) =>
      client.explain({ method, url, headers }, done)
    );
    return reply.json;
  }

  async setLogLevel(level: string): Promise<void> {
    await this.#call<unknown>((client, done) => client.setLogLevel({ level }, done));
  }

  /** Runs until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { socket, log } = this.#options;
    const warn = (reason: string) => log.warn({ socket, reason }, "no connection to the dataplane");
    return keepConnected(
      (established) => this.#stream(signal, established),
      { ...BACKOFF, warn },
      signal,
    );
  }

  #stream(signal: AbortSignal, onFirst: () => void): Promise<string> {
    const { socket, log, view } = this.#options;
    const client = new DataplaneControlClient(`unix:${socket}`, credentials.createInsecure(), {
      ...MESSAGE_LIMITS,
      "grpc.use_local_subchannel_pool": 1,
    });
    return new Promise((resolve) => {
      const call = client.configure();
      const abort = () => call.cancel();
      signal.addEventListener("abort", abort);
      const end = (reason: string) => {
        signal.removeEventListener("abort", abort);
        this.#client = null;
        this.#sender = null;
        this.#write = null;
        this.#applied = null;
        client.close();
        this.#options.onApplied([]);
        this.#options.onState();
        resolve(reason);
      };
      call.on("data", ({ message }: ConfigReply) => {
        if (message?.$case === "hello") {
          onFirst();
          this.#client = client;
          this.#held = message.value.held ?? NO_VERSION;
          this.#sender = new DeltaSender(view, message.value.resources);
          this.#write = (reply) => void call.write(reply);
          this.#waited = false;
          log.info({ held: versionText(message.value.held) }, "connected to the dataplane");
          this.#pump();
        } else if (message?.$case === "listeners") {
          this.problems = message.value.problems;
        } else if (message !== undefined) this.#onAnswer(message);
        this.#options.onState();
      });
      call.on("error", (error: Error) => end(error.message));
      call.on("end", () => end("the dataplane ended the stream"));
    });
  }

  #onAnswer(message: NonNullable<ConfigReply["message"]>): void {
    if (message.$case !== "ack" && message.$case !== "nack") return;
    const { nonce, version = NO_VERSION } = message.value;
    const refusals = message.$case === "nack" ? message.value.refusals : [];
    const sender = this.#sender;
    if (sender === null || !sender.acknowledge(nonce, version, refusals)) return;
    this.#applied = version;
    this.#refusals.push(...refusals);
    this.#pump();
  }

  #pump(): void {
    const { view, complete, log } = this.#options;
    if (this.#sender === null || !complete()) return;
    if (compareVersions(view.version, this.#held) < 0) {
      // A restarted agent may hold less than the dataplane, which keeps the newer configuration.
      if (!this.#waited) {
        const versions = { held: versionText(this.#held), ours: versionText(view.version) };
        log.info(versions, "the dataplane is ahead; waiting for the controller");
      }
      this.#waited = true;
      this.#options.onApplied([]);
      return;
    }
    const delta = this.#sender.next();
    this.#refusals.push(...this.#sender.standing);
    if (delta !== null) this.#write?.({ message: { $case: "delta", value: delta } });
    else if (!this.#sender.pending) {
      // A version that differs only in what stops at the agent sends nothing, and is applied as well.
      if (this.#applied !== null) this.#applied = view.version;
      this.#options.onApplied(this.#refusals.splice(0));
    }
  }

  #call<T>(
    call: (
      client: DataplaneControlClient,
      done: (error: Error | null, reply: T) => void,
    ) => unknown,
  ): Promise<T> {
    const client = this.#client;
    if (client === null) {
      return Promise.reject(new NovaEdgeError("DATAPLANE_AWAY", "the dataplane is not connected"));
    }
    return new Promise((resolve, reject) => {
      call(client, (error, reply) => error === null ? resolve(reply) : reject(error));
    });
  }
}
