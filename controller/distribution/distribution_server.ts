import {
  type handleBidiStreamingCall,
  Metadata,
  Server,
  type ServerCredentials,
  type ServerDuplexStream,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { compareVersions, NO_VERSION } from "../../common/delta/resources.ts";
import { messageOf } from "../../common/errors.ts";
import { bindServer, KEEPALIVE, LEADER, MESSAGE_LIMITS, UNREACHABLE } from "../../common/grpc.ts";
import type { Logger } from "../../common/log.ts";
import {
  type AgentMessage,
  ConfigDistributionService,
  type Delta,
  type Hello,
  type Refusal,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import type { SnapshotManager } from "../snapshot/snapshot_manager.ts";
import type { NodeScopes } from "./node_scopes.ts";
import { Session, type SessionState } from "./session.ts";
import { Turns } from "./turns.ts";

type Stream = ServerDuplexStream<AgentMessage, Delta>;

/**
 * Milliseconds between two looks at whose streams may go on, and after which an agent that has said nothing is
 * told to come again: agents say something every three seconds.
 */
const REVIEW = { interval: 10_000, silence: 15_000 };

/**
 * Agents that are sent their first delta at once: each is the whole configuration, and all agents come when a
 * controller takes over. Milliseconds until one that does not take it makes room.
 */
const FIRST_DELTAS = 4;
const FIRST_PATIENCE = 5_000;

/** Who an agent showed to be. */
export interface Admission {
  readonly node: string;
  /** When that ends, in milliseconds since 1970. */
  readonly expires: number;
}

/** What the server asks, and tells, the rest of the controller. */
export interface DistributionOptions {
  readonly snapshot: SnapshotManager;
  readonly log: Logger;
  /** What each node may see; null where every agent gets everything. */
  readonly scopes: NodeScopes | null;
  /** Finds out who sends a token; null where agents are known by how they reach us. Rejects others. */
  readonly admit: ((token: string) => Promise<Admission>) | null;
  /** Whether this controller serves agents. */
  readonly leads: () => boolean;
  /** Where the controller is that does, "" when nobody knows. */
  readonly leaderAddress: () => string;
  /** Whether an agent may wait here for a leader. @param unreachable where it could not reach one, or "" */
  readonly mayWait: (unreachable: string) => boolean;
  /** A node refused resources. */
  onRefusals(refusals: readonly Refusal[]): void;
  /** A node's agent came or said something. */
  onWord(node: string): void;
  /** A node's agent came, and holds these addresses. */
  onHello(node: string, addresses: readonly string[]): void;
  /** A node ends. */
  onLeft(node: string): void;
  /** Instead of the standard times, in milliseconds. */
  readonly review?: typeof REVIEW;
}

interface Guest {
  token: string;
  expires: number;
  hello: Hello | null;
  session: Session | null;
  /** When it was heard last, by a monotonic clock. */
  heard: number;
}

/** Serves agents: one stream each, over TCP or a unix socket. */
export class DistributionServer {
  readonly #server = new Server({ ...MESSAGE_LIMITS, ...KEEPALIVE });
  readonly #options: DistributionOptions;
  readonly #guests = new Map<Stream, Guest>();
  readonly #turns = new Turns<Session>(FIRST_DELTAS, FIRST_PATIENCE, (session) => session.begin());
  #published = false;
  #reviews: ReturnType<typeof setInterval> | undefined;

  constructor(options: DistributionOptions) {
    this.#options = options;
    const streamConfig: handleBidiStreamingCall<AgentMessage, Delta> = (call) =>
      this.#onStream(call);
    this.#server.addService(
      ConfigDistributionService,
      { streamConfig } as unknown as UntypedServiceImplementation,
    );
  }

  /** @param address "host:port" or "unix:/path" */
  async listen(address: string, credentials?: ServerCredentials): Promise<void> {
    await bindServer(this.#server, address, credentials);
    const { review, leads, mayWait } = this.#options;
    const { interval, silence } = review ?? REVIEW;
    this.#reviews = setInterval(() => {
      const last = performance.now() - silence;
      for (const [call, guest] of [...this.#guests]) {
        // The leader may be there again for who waits for another one.
        if (!leads() && !mayWait("")) this.#sendAway(call);
        // Who is not served yet has nothing to say but its hello.
        else if (guest.heard < last && (guest.session !== null || guest.hello === null)) {
          this.#dropSilent(call, guest);
        } else void this.#review(call, guest);
      }
    }, interval);
  }

  /** Every connected agent. */
  sessions(): SessionState[] {
    return [...this.#guests.values()].flatMap(({ session }) =>
      session === null ? [] : [session.state]
    );
  }

  /** The first complete snapshot is there: agents that wait get it. */
  publish(): void {
    this.#published = true;
    for (const guest of this.#guests.keys()) this.#open(guest);
  }

  /** These resources changed, or which nodes serve what. */
  changed(keys: readonly string[]): void {
    const { scopes } = this.#options;
    const sessions = [...this.#guests.values()].flatMap(({ session }) => session ?? []);
    if (scopes === null) {
      if (keys.length > 0) { for (const session of sessions) session.changed(keys); }
      return;
    }
    const nodes = new Set(sessions.map(({ state }) => state.node));
    const byNode = scopes.refresh(keys, nodes);
    for (const session of sessions) session.changed(byNode.get(session.state.node) ?? []);
  }

  /** Another controller may lead: agents that wait for one go there. */
  onLeader(): void {
    const { leads, mayWait } = this.#options;
    for (const call of [...this.#guests.keys()]) {
      if (!leads() && !mayWait(unreachableFor(call))) this.#sendAway(call);
    }
  }

  /** This controller no longer serves agents: they go where the leader is. */
  dismiss(): void {
    for (const call of [...this.#guests.keys()]) this.#sendAway(call);
  }

  stop(): void {
    clearInterval(this.#reviews);
    this.#turns[Symbol.dispose]();
    this.#server.forceShutdown();
  }

  #onStream(call: Stream): void {
    const { leads, mayWait, admit } = this.#options;
    const header = String(call.metadata.get("authorization")[0] ?? "");
    const token = header.startsWith("Bearer ") ? header.slice("Bearer ".length) : "";
    const heard = performance.now();
    const guest: Guest = { token, expires: Infinity, hello: null, session: null, heard };
    this.#guests.set(call, guest);
    call.on("data", (message: AgentMessage) => this.#onMessage(call, message));
    const gone = () => this.#gone(call);
    call.on("cancelled", gone);
    call.on("error", gone);
    call.on("end", () => {
      gone();
      call.end();
    });
    if (!leads() && !mayWait(unreachableFor(call))) this.#sendAway(call);
    else if (admit !== null && token === "") {
      this.#refuse(call, status.UNAUTHENTICATED, "there is no token");
    }
  }

  /** Its stream stands, but nothing comes: what it is sent may not arrive either. */
  #dropSilent(call: Stream, { hello }: Guest): void {
    this.#options.log.warn({ node: hello?.node, peer: call.getPeer() }, "an agent says nothing");
    this.#refuse(call, status.ABORTED, "nothing was heard");
  }

  #gone(call: Stream): void {
    const session = this.#guests.get(call)?.session ?? null;
    this.#guests.delete(call);
    if (session !== null) {
      this.#turns.done(session);
      this.#options.log.info({ node: session.state.node }, "agent disconnected");
    }
  }

  #onMessage(call: Stream, { message }: AgentMessage): void {
    const guest = this.#guests.get(call);
    if (message === undefined || guest === undefined) return;
    guest.heard = performance.now();
    if (message.$case === "hello") {
      if (guest.hello !== null) return;
      guest.hello = message.value;
      void this.#review(call, guest).then(() => this.#open(call));
      return;
    }
    if (message.$case === "token") {
      guest.token = message.value.token;
      void this.#review(call, guest);
      return;
    }
    const { session } = guest;
    if (session === null) return;
    if (message.$case === "status") {
      session.status = message.value;
      if (message.value.leaving) {
        this.#options.onLeft(session.state.node);
        return;
      }
    } else {
      const { nonce, version = NO_VERSION } = message.value;
      const refusals = message.$case === "nack" ? message.value.refusals : [];
      session.acknowledged(nonce, version, refusals, Date.now());
      this.#turns.done(session);
      if (refusals.length > 0) this.#options.onRefusals(refusals);
    }
    this.#options.onWord(session.state.node);
    session.pump();
  }

  /** Whether the agent is who it says, still; otherwise its stream ends. */
  async #review(call: Stream, guest: Guest): Promise<void> {
    const { admit, log } = this.#options;
    const { hello } = guest;
    if (admit === null || hello === null) return;
    try {
      const { node, expires } = await admit(guest.token);
      if (node !== hello.node) throw new Error(`the token is of a pod on node ${node}`);
      guest.expires = expires;
    } catch (error) {
      if (!this.#guests.has(call)) return;
      const reason = messageOf(error);
      log.warn({ node: hello.node, peer: call.getPeer(), reason }, "refused an agent");
      this.#refuse(call, status.UNAUTHENTICATED, reason);
    }
  }

  #open(call: Stream): void {
    const { snapshot, scopes, log, leads, onHello, admit } = this.#options;
    const guest = this.#guests.get(call);
    if (guest === undefined || guest.session !== null || !this.#published || !leads()) return;
    const { hello } = guest;
    // Nobody is served before it is known who it is.
    if (hello === null || (admit !== null && guest.expires === Infinity)) return;
    for (const [other, { session }] of this.#guests) {
      // An agent that comes again has lost its old stream, even if that is not known here yet.
      if (session?.state.node === hello.node) this.#refuse(other, status.ABORTED, "came again");
    }
    // Newer than what we have can only be another's: of a clock that was ahead, or of an earlier installation.
    const { held = NO_VERSION } = hello;
    if (compareVersions(held, snapshot.version) > 0) snapshot.raiseAbove(held.term);
    // What it holds is settled before it is told anything.
    onHello(hello.node, hello.addresses);
    const view = scopes === null ? snapshot.store : scopes.viewFor(hello.node);
    guest.session = new Session(hello, view, (delta) => void call.write(delta));
    log.info({ node: hello.node, held: hello.resources.length }, "agent connected");
    this.#turns.ask(guest.session);
  }

  #sendAway(call: Stream): void {
    const address = this.#options.leaderAddress();
    const metadata = new Metadata();
    if (address !== "") metadata.set(LEADER, address);
    const details = address === ""
      ? "this controller does not lead"
      : `this controller does not lead; ${address} does`;
    this.#refuse(call, status.UNAVAILABLE, details, metadata);
  }

  #refuse(call: Stream, code: status, details: string, metadata = new Metadata()): void {
    this.#gone(call);
    call.emit("error", { code, details, metadata });
  }
}

/** Where an agent could not reach the leader, "" when it could, or did not try. */
function unreachableFor(call: Stream): string {
  return String(call.metadata.get(UNREACHABLE)[0] ?? "");
}
