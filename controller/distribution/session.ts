import { DeltaSender, type ResourceView } from "../../common/delta/delta_sender.ts";
import type { Version } from "../../common/delta/resources.ts";
import type {
  Delta,
  Hello,
  NodeStatus,
  Refusal,
} from "../../proto/gen/novaedge/v1/distribution.ts";

/** What is known of one connected agent. */
export interface SessionState {
  readonly node: string;
  readonly softwareVersion: string;
  /** Version the agent last acknowledged; null before the first. */
  readonly acknowledged: Version | null;
  /** Milliseconds since 1970 of the last acknowledgement, 0 before the first. */
  readonly lastAck: number;
  readonly lastError: string;
  readonly status: NodeStatus | null;
}

/** One agent's stream: what it holds, and the deltas that bring it up to date. */
export class Session {
  readonly #hello: Hello;
  readonly #sender: DeltaSender;
  readonly #write: (delta: Delta) => void;
  #begun = false;
  #lastAck = 0;
  #lastError = "";
  status: NodeStatus | null = null;

  constructor(hello: Hello, view: ResourceView, write: (delta: Delta) => void) {
    this.#hello = hello;
    this.#sender = new DeltaSender(view, hello.resources);
    this.#write = write;
  }

  get state(): SessionState {
    return {
      node: this.#hello.node,
      softwareVersion: this.#hello.softwareVersion,
      acknowledged: this.#sender.acknowledged,
      lastAck: this.#lastAck,
      lastError: this.#lastError,
      status: this.status,
    };
  }

  changed(keys: Iterable<string>): void {
    this.#sender.changed(keys);
    this.pump();
  }

  /** Its turn has come to be sent what it lacks. */
  begin(): void {
    this.#begun = true;
    this.pump();
  }

  /** Sends the next delta if none is in flight. */
  pump(): void {
    if (!this.#begun) return;
    const delta = this.#sender.next();
    if (delta !== null) this.#write(delta);
  }

  /** @param now milliseconds since 1970 */
  acknowledged(nonce: number, version: Version, refusals: readonly Refusal[], now: number): void {
    if (!this.#sender.acknowledge(nonce, version, refusals)) return;
    this.#lastAck = now;
    this.#lastError = refusals.length === 0 ? "" : refusals[0].reason;
  }
}
