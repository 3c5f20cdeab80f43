import { proxyHeader } from "../net/proxy_protocol.ts";
import type { Connection } from "../net/transport.ts";
import { GLOBAL } from "../observe/counters.ts";
import type { BackendTransport } from "./backend_transport.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import { FairQueue, type Queued } from "./fair_queue.ts";
import { Http1Upstream } from "./http1_upstream.ts";
import { Http2Upstream } from "./http2_upstream.ts";
import { Opening } from "./opening.ts";
import { PeerIdle } from "./peer_idle.ts";
import type { PoolContext, PoolLimits } from "./pool_context.ts";
import type { UpstreamFailure, UpstreamUser } from "./upstream_stream.ts";

/** How `acquire` went: a stream at once, one being opened, a place in the queue, or none. */
export type Acquired = "given" | "opening" | "queued" | "full";

/** Streams that a connection being opened is expected to carry at once. */
const EXPECTED_STREAMS = 100;
/** Part of an endpoint's connections that one client may hold, where there are enough to part. */
const CLIENT_PART = 0.5;
const WORTH_PARTING = 16;
/** Connections that are opened at once: a burst of them would hold the worker. */
const OPENINGS = 64;
/** Spread of lifetimes, so that connections opened together do not end together. */
const LIFETIME_JITTER = 0.1;

interface Waiting extends Queued {
  readonly share: ClientShare | null;
  readonly user: UpstreamUser;
  /** Never a connection that has served before. */
  readonly fresh: boolean;
  /** Openings begun before it began to wait. */
  readonly since: number;
  readonly http1Only: boolean;
}

/**
 * The connections of one worker to one endpoint, of whichever protocol version. Lives as long as the
 * endpoint stays in the configuration, whatever else of its backend changes.
 */
export class EndpointPool {
  readonly #context: PoolContext;
  readonly #transport: BackendTransport;
  /** Idle HTTP/1.1 connections; the last used goes first. */
  readonly #idle: Http1Upstream[] = [];
  readonly #http1 = new Set<Http1Upstream>();
  readonly #http2 = new Set<Http2Upstream>();
  readonly #openings = new Set<Opening>();
  /** Connections of HTTP/1.1 that carry an exchange, by the client whose it is. */
  readonly #held = new Map<ClientShare | null, number>();
  readonly #waiting = new FairQueue<Waiting>((share) => this.#held.get(share) ?? 0);
  /** For whom alone a connection is being opened, with a PROXY header. */
  readonly #owners = new Map<Opening, UpstreamUser>();
  #limits: PoolLimits;
  #draining = false;
  /** Connections opened so far. */
  #opened = 0;
  readonly #peerIdle = new PeerIdle();
  /** With "auto": what the last handshake settled on. */
  #settled: "http1" | "http2" | null;

  constructor(
    readonly address: string,
    readonly port: number,
    transport: BackendTransport,
    limits: PoolLimits,
    context: PoolContext,
  ) {
    this.#transport = transport;
    this.#settled = transport.protocol === "auto" ? null : transport.protocol;
    this.#limits = limits;
    this.#context = context;
    for (let i = 0; transport.proxyProtocol === 0 && i < limits.prewarm; i++) this.#open(false);
  }

  set limits(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** Milliseconds that a connection may take to open. */
  get connectTimeout(): number {
    return this.#limits.connectTimeout;
  }

  get connections(): number {
    return this.#http1.size + this.#http2.size + this.#openings.size;
  }

  get idleConnections(): number {
    let idle = this.#idle.length;
    for (const connection of this.#http2) if (connection.size === 0) idle++;
    return idle;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Gives `user` a stream, now or later, by `onStream`.
   * @param fresh never on a connection that has served before
   */
  acquire(user: UpstreamUser, fresh: boolean): Acquired {
    if (this.#transport.proxyProtocol !== 0) return this.#acquireOwn(user);
    const { share } = user;
    if (!fresh && this.#mayHold(share)) {
      const idle = this.#idle.pop();
      if (idle !== undefined) {
        this.#context.counters[GLOBAL.upstreamReused]++;
        this.#give(idle, user);
        return "given";
      }
    }
    // A new connection may need the place of one that has nothing to do.
    if (fresh && this.connections >= this.#limits.maxConnections) this.#idle.shift()?.destroy();
    const http1Only = user.upgrade !== "";
    const mayOpen = this.connections < this.#limits.maxConnections;
    if (!http1Only && this.#http2.size > 0 && this.#giveStream(user, fresh && mayOpen)) {
      return "given";
    }
    this.#waiting.push({ share, user, fresh, http1Only, since: this.#opened });
    const position = () => this.#waiting.length - this.#expected();
    if (this.#mayHold(share) && position() > 0) {
      if (mayOpen && this.#openings.size < OPENINGS) this.#open(http1Only);
      else if (!mayOpen) this.#evictStalled(share);
    }
    if (position() <= 0) return "opening";
    if (position() <= this.#limits.maxPending) return "queued";
    // Who has most waiting gives way to who has less.
    const longest = this.#waiting.lastOfLongest(this.#waiting.count(share));
    if (longest !== null) {
      longest.user.evict();
      return "queued";
    }
    this.#waiting.remove(share, (waiting) => waiting.user === user);
    return "full";
  }

  /** Whether a client may hold one more connection of HTTP/1.1. */
  #mayHold(share: ClientShare | null): boolean {
    const { maxConnections } = this.#limits;
    return maxConnections < WORTH_PARTING || share === null ||
      (this.#held.get(share) ?? 0) < maxConnections * CLIENT_PART;
  }

  /**
   * Connections are used up: ends one exchange of the client that has most of them, if that client keeps
   * it from ending and has more than twice what the newcomer has.
   */
  #evictStalled(newcomer: ClientShare | null): void {
    let worst: ClientShare | null = null;
    let most = 2 * ((this.#held.get(newcomer) ?? 0) + 1);
    for (const [share, count] of this.#held) {
      if (share === newcomer || count <= most) continue;
      worst = share;
      most = count;
    }
    if (worst === null) return;
    for (const { user } of this.#http1) {
      if (user?.share !== worst || !user.stalled) continue;
      user.evict();
      return;
    }
  }

  /** A PROXY header speaks for one client: its connection serves one exchange and nobody else. */
  #acquireOwn(user: UpstreamUser): Acquired {
    if (this.connections >= this.#limits.maxConnections) return "full";
    const version = this.#transport.proxyProtocol as 1 | 2;
    const preamble = proxyHeader(version, user.proxySource(), user.proxyDestination());
    this.#open(user.upgrade !== "", preamble, user);
    return "opening";
  }

  /** The user no longer waits. */
  cancel(user: UpstreamUser): void {
    for (const [opening, owner] of this.#owners) {
      if (owner !== user) continue;
      this.#owners.delete(opening);
      this.#openings.delete(opening);
      opening.cancel();
      this.#closed();
    }
    this.#waiting.remove(user.share, (waiting) => waiting.user === user);
  }

  /** The endpoint left the configuration: idle connections end now, busy ones after their exchange. */
  drain(): void {
    this.#draining = true;
    // Nobody else can give those a connection who have one opened for them alone.
    for (const [opening, user] of this.#owners) {
      this.#owners.delete(opening);
      this.#openings.delete(opening);
      opening.cancel();
      this.#closed();
      user.onUpstreamFailure("connect_failed", false, "the endpoint left the configuration");
    }
    for (const connection of this.#idle.splice(0)) connection.destroy();
    for (const connection of this.#http2) connection.retire();
    if (this.#waiting.length > 0) return;
    for (const opening of this.#openings) {
      opening.cancel();
      this.#closed();
    }
    this.#openings.clear();
  }

  onOpened(opening: Opening, connection: Connection): void {
    this.#openings.delete(opening);
    const alpn = connection.tls === null ? "" : connection.tls.alpn;
    const speaksHttp2 = !opening.http1Only &&
      (alpn === "h2" || this.#transport.protocol === "http2");
    if (!opening.http1Only) this.#settled = speaksHttp2 ? "http2" : "http1";
    const { ticker, random } = this.#context;
    const owner = this.#owners.get(opening);
    this.#owners.delete(opening);
    const maxRequests = owner === undefined ? this.#limits.maxRequests : 1;
    const retireAt = ticker.now +
      this.#limits.lifetime * (1 - LIFETIME_JITTER + 2 * LIFETIME_JITTER * random());
    if (speaksHttp2) {
      const upstream = new Http2Upstream(connection, this, this.#context, maxRequests);
      upstream.retireAt = retireAt;
      upstream.number = opening.number;
      connection.events = upstream;
      this.#http2.add(upstream);
      upstream.start();
      if (owner !== undefined) upstream.give(owner);
      else this.onStreamsFree(upstream);
    } else {
      const upstream = new Http1Upstream(connection, this, ticker);
      upstream.retireAt = retireAt;
      connection.events = upstream;
      this.#http1.add(upstream);
      if (owner !== undefined) {
        upstream.retireAt = 0;
        this.#give(upstream, owner);
      } else this.onIdle(upstream);
    }
    this.#openForWaiting();
  }

  onOpenFailed(opening: Opening, failure: UpstreamFailure, detail: string): void {
    this.#openings.delete(opening);
    this.#closed();
    this.#context.counters[GLOBAL.upstreamConnectFailures]++;
    const owner = this.#owners.get(opening);
    this.#owners.delete(opening);
    if (owner !== undefined) {
      owner.onUpstreamFailure(failure, false, detail);
      return;
    }
    // One HTTP/1.1 connection would have served one user; one of HTTP/2 all that wait.
    const hopeless = this.#settled !== "http1" && !opening.http1Only &&
      this.#openings.size === 0 && this.#http2.size === 0;
    const failed = hopeless
      ? this.#waiting.takeAll()
      : [this.#waiting.length > this.#openings.size ? this.#waiting.take() : null];
    for (const waiting of failed) waiting?.user.onUpstreamFailure(failure, false, detail);
    this.#openForWaiting();
  }

  /** Gives a connection of HTTP/1.1 to a user, and counts it for the user's client. */
  #give(connection: Http1Upstream, user: UpstreamUser): void {
    const { share } = user;
    connection.holder = share;
    this.#held.set(share, (this.#held.get(share) ?? 0) + 1);
    connection.give(user);
  }

  /** The connection carries nothing any more. */
  #left(connection: Http1Upstream): void {
    const { holder } = connection;
    if (holder === undefined) return;
    connection.holder = undefined;
    const left = this.#held.get(holder)! - 1;
    if (left > 0) this.#held.set(holder, left);
    else this.#held.delete(holder);
  }

  onIdle(connection: Http1Upstream): void {
    this.#left(connection);
    const { served } = connection;
    const limits = this.#limits;
    const retired = this.#draining || served >= limits.maxRequests ||
      connection.retireAt <= this.#context.ticker.now;
    if (retired && served > 0) {
      connection.destroy();
      return;
    }
    const next = this.#waiting.take(({ fresh, share }) =>
      (!fresh || served === 0) && this.#mayHold(share)
    );
    if (next !== null) this.#give(connection, next.user);
    else if (
      retired || this.#idle.length >= limits.maxIdle ||
      // All who wait need a new connection, and this one has its place.
      (this.#waiting.length > 0 && this.connections >= limits.maxConnections)
    ) connection.destroy();
    else {
      const { now } = this.#context.ticker;
      const most = Math.min(connection.keepAlive, this.#peerIdle.limit(now), limits.idleTimeout);
      connection.idleSince = now;
      connection.deadline = now + most;
      this.#idle.push(connection);
    }
  }

  /** An HTTP/2 connection can take streams. */
  onStreamsFree(connection: Http2Upstream): void {
    while (connection.available) {
      const next = this.#waiting.take((waiting) =>
        !waiting.http1Only &&
        (!waiting.fresh || connection.served === 0 || connection.number > waiting.since)
      );
      if (next === null) break;
      connection.give(next.user);
    }
    if (connection.size > 0) return;
    if (this.#draining) connection.retire();
    else connection.idleUntil(this.#context.ticker.now + this.#limits.idleTimeout);
  }

  onGone(connection: Http1Upstream | Http2Upstream): void {
    if (connection instanceof Http1Upstream) {
      this.#left(connection);
      this.#http1.delete(connection);
      const position = this.#idle.indexOf(connection);
      if (position >= 0) {
        this.#idle.splice(position, 1);
        const { now } = this.#context.ticker;
        if (connection.closedByPeer) this.#peerIdle.closed(now, now - connection.idleSince);
      }
    } else this.#http2.delete(connection);
    this.#closed();
    this.#openForWaiting();
  }

  #giveStream(user: UpstreamUser, fresh: boolean): boolean {
    for (const connection of this.#http2) {
      if (!connection.available || (fresh && connection.served > 0)) continue;
      this.#context.counters[GLOBAL.upstreamReused]++;
      connection.give(user);
      return true;
    }
    return false;
  }

  /** Users that the connections being opened will serve. */
  #expected(): number {
    return this.#settled === "http1" ? this.#openings.size : this.#openings.size * EXPECTED_STREAMS;
  }

  /** Opens what those who wait need, within the limit. */
  #openForWaiting(): void {
    const { maxConnections } = this.#limits;
    while (
      this.#waiting.length > this.#expected() && this.connections < maxConnections &&
      this.#openings.size < OPENINGS
    ) {
      const next = this.#waiting.find(({ share }) => this.#mayHold(share));
      if (next === undefined) return;
      this.#open(next.http1Only);
    }
  }

  #open(http1Only: boolean, preamble: Uint8Array | null = null, owner?: UpstreamUser): void {
    const { counters } = this.#context;
    counters[GLOBAL.upstreamConnects]++;
    counters[GLOBAL.upstreamOpen]++;
    const opening = new Opening(
      {
        address: this.address,
        port: this.port,
        transport: this.#transport,
        preamble,
        http1Only,
        timeout: this.#limits.connectTimeout,
      },
      this,
      this.#context,
    );
    opening.number = ++this.#opened;
    this.#openings.add(opening);
    if (owner !== undefined) this.#owners.set(opening, owner);
    opening.start();
  }

  #closed(): void {
    this.#context.counters[GLOBAL.upstreamOpen]--;
  }
}
