import type { Transport } from "../net/transport.ts";
import { GLOBAL } from "../observe/counters.ts";
import type { Ticker } from "../worker/ticker.ts";
import { type ConnectionOwner, UpstreamConnection } from "./upstream_connection.ts";
import type { UpstreamUser } from "./user.ts";

/** What pools of one worker share. */
export interface PoolContext {
  readonly transport: Transport;
  readonly ticker: Ticker;
  readonly counters: Float64Array;
}

/** How `acquire` went: a connection at once, one being opened, a place in the queue, or none. */
export type Acquired = "given" | "opening" | "queued" | "full";

/** Limits of one backend's pools; replaced as a whole when the backend changes. */
export interface PoolLimits {
  /** Milliseconds. */
  readonly connectTimeout: number;
  /** Milliseconds an unused connection is kept. */
  readonly idleTimeout: number;
  readonly maxConnections: number;
  readonly maxIdle: number;
  readonly maxPending: number;
}

/**
 * The connections of one worker to one endpoint. Lives as long as the endpoint stays in the
 * configuration, whatever else of its backend changes.
 */
export class EndpointPool implements ConnectionOwner {
  readonly #context: PoolContext;
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();
  /** Users that wait for a connection, each with the one being opened for it (if any). */
  readonly #waiting: UpstreamUser[] = [];
  readonly #openedFor = new Map<UpstreamConnection, UpstreamUser>();
  #limits: PoolLimits;
  #draining = false;

  constructor(
    readonly address: string,
    readonly port: number,
    limits: PoolLimits,
    context: PoolContext,
  ) {
    this.#limits = limits;
    this.#context = context;
  }

  set limits(limits: PoolLimits) {
    this.#limits = limits;
  }

  get connections(): number {
    return this.#all.size;
  }

  get idleConnections(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Gives `user` a connection, now or later, by `onConnection`.
   * @param fresh never one that has served before
   */
  acquire(user: UpstreamUser, fresh: boolean): Acquired {
    if (!fresh) {
      const idle = this.#idle.pop();
      if (idle !== undefined) {
        this.#context.counters[GLOBAL.upstreamReused]++;
        user.onConnection(idle);
        return "given";
      }
    }
    if (this.#all.size < this.#limits.maxConnections) {
      this.#open(user);
      return "opening";
    }
    if (this.#waiting.length >= this.#limits.maxPending) return "full";
    this.#waiting.push(user);
    return "queued";
  }

  /** The user no longer waits. */
  cancel(user: UpstreamUser): void {
    const position = this.#waiting.indexOf(user);
    if (position >= 0) this.#waiting.splice(position, 1);
    for (const [connection, waiter] of this.#openedFor) {
      if (waiter === user) this.#openedFor.delete(connection);
    }
  }

  /** The endpoint left the configuration: idle connections end now, busy ones after their exchange. */
  drain(): void {
    this.#draining = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  onConnected(connection: UpstreamConnection): void {
    const user = this.#openedFor.get(connection);
    this.#openedFor.delete(connection);
    if (user !== undefined) user.onConnection(connection);
    else this.onIdle(connection);
  }

  onIdle(connection: UpstreamConnection): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.onConnection(connection);
      return;
    }
    if (this.#draining || this.#idle.length >= this.#limits.maxIdle) {
      connection.destroy();
      return;
    }
    connection.deadline = this.#context.ticker.now + this.#limits.idleTimeout;
    this.#idle.push(connection);
  }

  onGone(connection: UpstreamConnection): void {
    this.#all.delete(connection);
    const { counters } = this.#context;
    counters[GLOBAL.upstreamOpen]--;
    const position = this.#idle.indexOf(connection);
    if (position >= 0) this.#idle.splice(position, 1);
    const user = this.#openedFor.get(connection);
    if (user !== undefined) {
      this.#openedFor.delete(connection);
      counters[GLOBAL.upstreamConnectFailures]++;
      user.onUpstreamFailure(connection.failure, false);
    }
    const waiting = this.#all.size < this.#limits.maxConnections
      ? this.#waiting.shift()
      : undefined;
    if (waiting !== undefined) this.#open(waiting);
  }

  #open(user: UpstreamUser): void {
    const { transport, ticker, counters } = this.#context;
    const connection = new UpstreamConnection(this, ticker);
    this.#all.add(connection);
    this.#openedFor.set(connection, user);
    counters[GLOBAL.upstreamConnects]++;
    counters[GLOBAL.upstreamOpen]++;
    const stream = transport.connect({
      host: this.address,
      port: this.port,
      events: connection,
      onConnect: () => connection.onConnect(),
    });
    connection.attach(stream, this.#limits.connectTimeout);
  }
}
