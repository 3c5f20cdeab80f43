import { LIMIT } from "../config/defaults.ts";
import type { ClientShare, ClientShares } from "../loop/client_shares.ts";
import type { Admission } from "../net/transport.ts";

/** A port whose connections are counted. */
export interface CountedPort {
  /** Connections of this worker that are open. */
  open: number;
  limit(name: "maxConnections" | "maxConnectionsPerClient", fallback: number): number;
}

/**
 * Who may connect to one worker. Connections count from the moment they are accepted, before anything is
 * read: half-open ones are what an attacker can have most of. They count for the client that connects,
 * and for the one that a PROXY header names once it is known.
 */
export class Admissions {
  readonly #clients: ClientShares;
  /** Places whose handshake or PROXY header is due, the oldest first. */
  readonly #pending = new Set<Place>();
  #size = 0;
  readonly #onRefused: () => void;

  /** @param onRefused called for each connection that is refused or evicted */
  constructor(clients: ClientShares, onRefused: () => void) {
    this.#clients = clients;
    this.#onRefused = onRefused;
  }

  /** Connections that are open or half open. */
  get size(): number {
    return this.#size;
  }

  /** Connections whose handshake or PROXY header is due. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Gives a connection a place; null when there is none.
   * @param proxied whether a PROXY header is due: then the peer is no client, and its own number is free
   */
  admit(port: CountedPort, address: string, proxied: boolean): Admission | null {
    const full = this.#size >= LIMIT.connectionsPerWorker ||
      port.open >= port.limit("maxConnections", Infinity);
    const share = this.#clients.hold(address);
    if (full || (!proxied && share.connections >= perClient(port))) {
      share.leave();
      this.#onRefused();
      return null;
    }
    if (!proxied && share.handshakes >= LIMIT.handshakesPerClient) this.#evictOldest(share);
    if (this.#pending.size >= LIMIT.handshakes) this.#evictOldest(this.#worst());
    const place = new Place(port, this.#clients, share, {
      onPending: (pending) => {
        if (pending) this.#pending.add(place);
        else this.#pending.delete(place);
      },
      onRefused: this.#onRefused,
      onReleased: () => this.#size--,
    });
    this.#size++;
    place.begin();
    return place;
  }

  /** The client with the most half-open connections. */
  #worst(): ClientShare | null {
    let worst: ClientShare | null = null;
    for (const { share } of this.#pending) {
      if (worst === null || share.handshakes > worst.handshakes) worst = share;
    }
    return worst;
  }

  #evictOldest(share: ClientShare | null): void {
    for (const place of this.#pending) {
      if (place.share !== share) continue;
      this.#onRefused();
      place.end();
      return;
    }
  }
}

interface PlaceOwner {
  onPending(pending: boolean): void;
  onRefused(): void;
  onReleased(): void;
}

/** The place of one connection. */
class Place implements Admission {
  evict: () => void = () => {};
  share: ClientShare;
  readonly #port: CountedPort;
  readonly #clients: ClientShares;
  readonly #owner: PlaceOwner;
  #pending = true;
  #released = false;

  constructor(port: CountedPort, clients: ClientShares, share: ClientShare, owner: PlaceOwner) {
    this.#port = port;
    this.#clients = clients;
    this.share = share;
    this.#owner = owner;
  }

  begin(): void {
    this.#port.open++;
    this.share.connections++;
    this.share.handshakes++;
    this.#owner.onPending(true);
  }

  moveTo(address: string): boolean {
    if (this.#released) return false;
    const next = this.#clients.hold(address);
    if (next.connections - (next === this.share ? 1 : 0) >= perClient(this.#port)) {
      next.leave();
      this.#owner.onRefused();
      return false;
    }
    this.share.connections--;
    this.share.handshakes--;
    this.share.leave();
    this.share = next;
    next.connections++;
    next.handshakes++;
    return true;
  }

  establish(): void {
    if (!this.#pending) return;
    this.#pending = false;
    this.share.handshakes--;
    this.#owner.onPending(false);
  }

  /** Ends the connection, whose handshake or PROXY header is due. */
  end(): void {
    const { evict } = this;
    this.release();
    evict();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.establish();
    this.#port.open--;
    this.share.connections--;
    this.share.leave();
    this.#owner.onReleased();
  }
}

function perClient(port: CountedPort): number {
  return port.limit("maxConnectionsPerClient", LIMIT.connectionsPerClient);
}
