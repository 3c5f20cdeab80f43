import { contain, type Contained } from "./containment.ts";
import type { ClientShare, ClientShares } from "./client_shares.ts";

/** Requests that a client may begin in one turn: a millisecond of a worker, three while its code is compiled. */
export const REQUESTS = 16;

/** A connection whose next requests wait for their turn. */
export interface HeldConnection extends Contained {
  readonly share: ClientShare;
  /** Begins as many requests as the client's turn allows. */
  goOn(): void;
}

/**
 * Lets the clients of a worker begin requests in turns: a connection of HTTP/2 brings a hundred of them in
 * one read, and ten such connections held others up for 150 ms. A client that has begun as many as one turn
 * allows goes on when the events of others were handled. A client that is alone does not wait.
 */
export class ClientTurns {
  readonly #clients: ClientShares;
  readonly #schedule: (run: () => void) => void;
  #held: HeldConnection[] = [];
  #turn = 1;
  #open = false;
  readonly #end = () => this.#next();

  /** @param schedule runs a function soon, after what else is ready */
  constructor(clients: ClientShares, schedule: (run: () => void) => void) {
    this.#clients = clients;
    this.#schedule = schedule;
  }

  /** Whether a client has begun all that it may in this turn. */
  isOver(share: ClientShare): boolean {
    return share.turn === this.#turn && share.begun >= REQUESTS;
  }

  /** Counts a request that has begun; returns whether the client's turn is over. */
  begun(share: ClientShare): boolean {
    // Requests of a trusted proxy are those of many clients.
    if (this.#clients.alone || share === this.#clients.proxies) return false;
    if (!this.#open) {
      this.#open = true;
      this.#schedule(this.#end);
    }
    if (share.turn !== this.#turn) {
      share.turn = this.#turn;
      share.begun = 0;
    }
    return ++share.begun >= REQUESTS;
  }

  /** Lets a connection go on in the next turn of its client. */
  hold(connection: HeldConnection): void {
    this.#held.push(connection);
  }

  #next(): void {
    this.#turn++;
    this.#open = false;
    const held = this.#held;
    this.#held = [];
    for (const connection of held) {
      if (this.isOver(connection.share)) {
        this.#held.push(connection);
        continue;
      }
      try {
        connection.goOn();
      } catch (error) {
        contain(error, connection);
      }
    }
    if (this.#held.length === 0 || this.#open) return;
    this.#open = true;
    this.#schedule(this.#end);
  }
}
