import {
  type handleBidiStreamingCall,
  Server,
  type ServerDuplexStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { NO_VERSION } from "../../common/delta/resources.ts";
import { bindServer, MESSAGE_LIMITS } from "../../common/grpc.ts";
import type { Logger } from "../../common/log.ts";
import {
  type AgentMessage,
  ConfigDistributionService,
  type Delta,
  type Hello,
  type Refusal,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import type { SnapshotManager } from "../snapshot/snapshot_manager.ts";
import { Session, type SessionState } from "./session.ts";

type Stream = ServerDuplexStream<AgentMessage, Delta>;

/** What happens at the streams. */
export interface DistributionEvents {
  /** A node refused resources. */
  onRefusals(refusals: readonly Refusal[]): void;
  /** A node's agent came or said something. */
  onWord(node: string): void;
}

/** Serves agents: one stream each, over TCP or a unix socket. */
export class DistributionServer {
  readonly #server = new Server({
    ...MESSAGE_LIMITS,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });
  readonly #snapshot: SnapshotManager;
  readonly #log: Logger;
  readonly #sessions = new Map<Stream, Session>();
  readonly #events: DistributionEvents;
  readonly #waiting = new Map<Stream, Hello>();
  #published = false;

  constructor(
    snapshot: SnapshotManager,
    log: Logger,
    events: DistributionEvents,
  ) {
    this.#snapshot = snapshot;
    this.#log = log;
    this.#events = events;
    const streamConfig: handleBidiStreamingCall<AgentMessage, Delta> = (call) =>
      this.#onStream(call);
    this.#server.addService(
      ConfigDistributionService,
      { streamConfig } as unknown as UntypedServiceImplementation,
    );
  }

  /** @param address "host:port" or "unix:/path" */
  listen(address: string): Promise<void> {
    return bindServer(this.#server, address);
  }

  /** Every connected agent. */
  sessions(): SessionState[] {
    return Array.from(this.#sessions.values(), ({ state }) => state);
  }

  /** The first complete snapshot is there: agents that wait get it. */
  publish(): void {
    this.#published = true;
    for (const [call, hello] of this.#waiting) this.#open(call, hello);
    this.#waiting.clear();
  }

  /** These resources changed. */
  changed(keys: readonly string[]): void {
    if (keys.length === 0) return;
    for (const session of this.#sessions.values()) session.changed(keys);
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #onStream(call: Stream): void {
    call.on("data", (message: AgentMessage) => this.#onMessage(call, message));
    const gone = () => {
      const session = this.#sessions.get(call);
      if (session !== undefined) this.#log.info({ node: session.state.node }, "agent disconnected");
      this.#sessions.delete(call);
      this.#waiting.delete(call);
    };
    call.on("cancelled", gone);
    call.on("error", gone);
    call.on("end", () => {
      gone();
      call.end();
    });
  }

  #onMessage(call: Stream, { message }: AgentMessage): void {
    if (message === undefined) return;
    if (message.$case === "hello") {
      if (this.#published) this.#open(call, message.value);
      else this.#waiting.set(call, message.value);
      return;
    }
    const session = this.#sessions.get(call);
    if (session === undefined) return;
    if (message.$case === "status") {
      session.status = message.value;
      this.#events.onWord(session.state.node);
      return;
    }
    const { nonce, version = NO_VERSION } = message.value;
    const refusals = message.$case === "nack" ? message.value.refusals : [];
    session.acknowledged(nonce, version, refusals, Date.now());
    if (refusals.length > 0) this.#events.onRefusals(refusals);
    this.#events.onWord(session.state.node);
    session.pump();
  }

  #open(call: Stream, hello: Hello): void {
    this.#snapshot.raiseAbove(
      hello.held?.term === this.#snapshot.version.term ? 0 : hello.held?.term ?? 0,
    );
    const session = new Session(hello, this.#snapshot.store, (delta) => void call.write(delta));
    this.#sessions.set(call, session);
    this.#log.info({ node: hello.node, held: hello.resources.length }, "agent connected");
    this.#events.onWord(hello.node);
    session.pump();
  }
}
