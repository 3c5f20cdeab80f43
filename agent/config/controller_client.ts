import { Buffer } from "node:buffer";
import { type ChannelCredentials, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { messageOf } from "../../common/errors.ts";
import {
  CONTROLLER_NAME,
  KEEPALIVE,
  LEADER,
  MESSAGE_LIMITS,
  UNREACHABLE,
} from "../../common/grpc.ts";
import type { Logger } from "../../common/log.ts";
import { keepConnected } from "../../common/reconnect.ts";
import {
  type AgentMessage,
  ConfigDistributionClient,
  type Delta,
  type Hello,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import { ControllerAddress } from "./controller_address.ts";
import { firstSettled, type Patience } from "./first_settled.ts";

/** First and longest wait before the controller is tried again, in milliseconds. */
const BACKOFF = { initial: 100, maximum: 2_000 };

/** What the client needs of the agent. */
export interface ControllerClientOptions {
  /** "host:port" or "unix:/path" */
  readonly address: string;
  /** What we show, and what the controller must show; null for nothing on both sides. */
  readonly identity: StreamIdentity | null;
  readonly log: Logger;
  hello(): Hello;
  onDelta(delta: Delta): void;
  onConnection(connected: boolean): void;
}

/** How both ends of the stream show who they are. */
export interface StreamIdentity {
  /** Certificates of the authorities that controllers' are signed by, PEM. */
  authorities(): Uint8Array;
  /** The token that says which pod we are, now. */
  token(): string;
}

/** An address that nobody has any more does not refuse: the kernel would ask it for minutes. */
const ANY_CONTROLLER: Patience = { total: 3_000, next: 300 };
const ONE_CONTROLLER: Patience = { total: 2_000, next: 1_000 };
/** Milliseconds between two looks at whether the token was replaced. */
const TOKEN_CHECK = 30_000;

type Send = (message: AgentMessage) => Promise<void>;

/** Keeps a configuration stream to the controller; reconnects for ever. */
export class ControllerClient {
  readonly #options: ControllerClientOptions;
  readonly #address: ControllerAddress;
  #send: Send | null = null;
  /** Where the last controller said that the leader is. */
  #leader = "";
  /** Where a leader was that could not be reached: another one is waited for. */
  #unreachable = "";
  /** What we showed last. */
  #token = "";

  constructor(options: ControllerClientOptions) {
    this.#options = options;
    this.#address = new ControllerAddress(options.address);
  }

  get connected(): boolean {
    return this.#send !== null;
  }

  send(message: AgentMessage["message"]): void {
    void this.#send?.({ message });
  }

  /** Sends something before the stream ends. */
  async sendLast(message: AgentMessage["message"]): Promise<void> {
    await this.#send?.({ message });
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
      async (established) => {
        this.#leader = "";
        const reason = await this.#stream(this.#address, ANY_CONTROLLER, signal, established);
        // Another controller that knows who leads says so: no time is lost.
        const leader: string = this.#leader;
        if (leader === "" || leader === address || signal.aborted) return reason;
        const named = new ControllerAddress(leader);
        return await this.#stream(named, ONE_CONTROLLER, signal, established);
      },
      { ...BACKOFF, warn },
      signal,
    );
  }

  /** Shows the token that has replaced the one that we showed. */
  #renew(): void {
    let token: string;
    try {
      token = this.#options.identity?.token() ?? "";
    } catch {
      // What we showed counts until it ends.
      return;
    }
    if (token === this.#token || this.#send === null) return;
    this.#token = token;
    this.send({ $case: "token", value: { token } });
  }

  /** One connection, until it ends; resolves to the reason. */
  async #stream(
    address: ControllerAddress,
    patience: Patience,
    signal: AbortSignal,
    onFirst: () => void,
  ): Promise<string> {
    const { identity } = this.#options;
    let token: string;
    let channel: ChannelCredentials;
    let targets: readonly string[];
    try {
      targets = await address.targets(signal);
      token = identity?.token() ?? "";
      channel = identity === null
        ? credentials.createInsecure()
        : credentials.createSsl(Buffer.from(identity.authorities()));
    } catch (error) {
      return messageOf(error);
    }
    // A channel of its own each time: a shared one would keep its own, longer backoff.
    const options = {
      ...MESSAGE_LIMITS,
      ...KEEPALIVE,
      ...(identity === null ? {} : {
        "grpc.ssl_target_name_override": CONTROLLER_NAME,
        "grpc.default_authority": CONTROLLER_NAME,
      }),
      "grpc.use_local_subchannel_pool": 1,
    };
    const client = await firstSettled(
      targets,
      (target) => new ConfigDistributionClient(target, channel, options),
      patience,
      signal,
    );
    if (client === null) {
      if (`${address}` === this.#leader) this.#unreachable = this.#leader;
      return `no connection within ${patience.total / 1_000} s`;
    }
    this.#token = token;
    return await this.#call(client, `${address}`, signal, onFirst);
  }

  /** One call on a channel, until it ends. */
  #call(
    client: ConfigDistributionClient,
    address: string,
    signal: AbortSignal,
    onFirst: () => void,
  ): Promise<string> {
    const { log, hello, onDelta, onConnection } = this.#options;
    const metadata = new Metadata();
    if (this.#token !== "") metadata.set("authorization", `Bearer ${this.#token}`);
    if (this.#unreachable !== "") metadata.set(UNREACHABLE, this.#unreachable);
    return new Promise((resolve) => {
      const call = client.streamConfig(metadata);
      const renewal = setInterval(() => this.#renew(), TOKEN_CHECK);
      let over = false;
      /** How this connection's messages go out, once it works. */
      let send: Send | null = null;
      const abort = () => call.cancel();
      signal.addEventListener("abort", abort);
      // Several may say that it is over, some of them much later.
      const end = (reason: string) => {
        if (over) return;
        over = true;
        signal.removeEventListener("abort", abort);
        clearInterval(renewal);
        if (send !== null) {
          this.#send = null;
          onConnection(false);
        }
        client.close();
        resolve(reason);
      };
      call.on("data", (delta: Delta) => {
        if (over) return;
        if (send === null) {
          onFirst();
          this.#unreachable = "";
          send = (message) => new Promise((resolve) => call.write(message, () => resolve()));
          this.#send = send;
          log.info({ address }, "connected to the controller");
          onConnection(true);
        }
        onDelta(delta);
      });
      call.on("error", (error: ServiceError) => {
        if (!over) this.#leader = String(error.metadata?.get(LEADER)[0] ?? "");
        end(error.message);
      });
      call.on("end", () => end("the controller ended the stream"));
      call.write({ message: { $case: "hello", value: hello() } });
    });
  }
}
