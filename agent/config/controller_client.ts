import { credentials } from "@grpc/grpc-js";
import { MESSAGE_LIMITS } from "../../common/grpc.ts";
import type { Logger } from "../../common/log.ts";
import { keepConnected } from "../../common/reconnect.ts";
import {
  type AgentMessage,
  ConfigDistributionClient,
  type Delta,
  type Hello,
} from "../../proto/gen/novaedge/v1/distribution.ts";

/** First and longest wait before the controller is tried again, in milliseconds. */
const BACKOFF = { initial: 100, maximum: 5_000 };

/** What the client needs of the agent. */
export interface ControllerClientOptions {
  /** "host:port" or "unix:/path" */
  readonly address: string;
  readonly log: Logger;
  hello(): Hello;
  onDelta(delta: Delta): void;
  onConnection(connected: boolean): void;
}

/** Keeps a configuration stream to the controller; reconnects for ever. */
export class ControllerClient {
  readonly #options: ControllerClientOptions;
  #send: ((message: AgentMessage) => void) | null = null;

  constructor(options: ControllerClientOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#send !== null;
  }

  send(message: AgentMessage["message"]): void {
    this.#send?.({ message });
  }

  /** Runs until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { address, log } = this.#options;
    const warn = (reason: string) =>
      log.warn(
        { address, reason },
        "no connection to the controller; keeping the configuration held",
      );
    return keepConnected(
      (established) => this.#stream(signal, established),
      { ...BACKOFF, warn },
      signal,
    );
  }

  /** One connection, until it ends; resolves to the reason. */
  #stream(signal: AbortSignal, onFirst: () => void): Promise<string> {
    const { address, log, hello, onDelta, onConnection } = this.#options;
    // A channel of its own each time: a shared one would keep its own, longer backoff.
    const client = new ConfigDistributionClient(address, credentials.createInsecure(), {
      ...MESSAGE_LIMITS,
      "grpc.keepalive_time_ms": 60_000,
      "grpc.keepalive_timeout_ms": 20_000,
      "grpc.use_local_subchannel_pool": 1,
    });
    return new Promise((resolve) => {
      const call = client.streamConfig();
      let first = true;
      const abort = () => call.cancel();
      signal.addEventListener("abort", abort);
      const end = (reason: string) => {
        signal.removeEventListener("abort", abort);
        if (this.#send !== null) {
          this.#send = null;
          onConnection(false);
        }
        client.close();
        resolve(reason);
      };
      call.on("data", (delta: Delta) => {
        if (first) {
          first = false;
          onFirst();
          this.#send = (message) => void call.write(message);
          log.info({ address }, "connected to the controller");
          onConnection(true);
        }
        onDelta(delta);
      });
      call.on("error", (error: Error) => end(error.message));
      call.on("end", () => end("the controller ended the stream"));
      call.write({ message: { $case: "hello", value: hello() } });
    });
  }
}
