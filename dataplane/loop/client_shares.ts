import { LIMIT } from "../config/defaults.ts";
import type { Overload } from "./overload.ts";

/** Groups of an IPv6 address that name a network of 64 bits: one customer has all addresses below it. */
const NETWORK_GROUPS = 4;

/**
 * What one client holds of a worker's bounded resources. Each of them is shared: whatever a client does,
 * it takes no more than its share, and others are served from the rest. A client is an IPv4 address or
 * an IPv6 network of 64 bits, as PROXY headers and trusted proxies tell it.
 */
export class ClientShare {
  /** Open connections, those whose handshake or PROXY header is due included. */
  connections = 0;
  /** Connections whose handshake or PROXY header is due. */
  handshakes = 0;
  /** Passwords that are being checked, and what begins the checks that wait for them. */
  passwords = 0;
  readonly waitingPasswords: (() => void)[] = [];
  /** Responses that are being compressed. */
  compressors = 0;
  /** Requests of HTTP/2 that began in a turn, and the number of that turn. */
  begun = 0;
  turn = 0;
  #buffered = 0;
  #holders = 0;
  readonly #overload: Overload;
  readonly #onUnused: (share: ClientShare) => void;

  readonly #most: number;

  /** @param most bytes that may be kept for the client */
  constructor(
    readonly client: string,
    most: number,
    overload: Overload,
    onUnused: (share: ClientShare) => void,
  ) {
    this.#most = most;
    this.#overload = overload;
    this.#onUnused = onUnused;
  }

  /** Bytes kept for the client, or for backends from it. They count in the worker's total too. */
  get buffered(): number {
    return this.#buffered;
  }

  set buffered(bytes: number) {
    this.#overload.buffered += bytes - this.#buffered;
    this.#buffered = bytes;
  }

  /** Whether another `bytes` may be kept for this client. */
  admits(bytes: number): boolean {
    return this.#buffered + bytes <= this.#most && this.#overload.admits(bytes);
  }

  /** Whether new requests of this client must be answered with 503. */
  get shedding(): boolean {
    return this.#overload.sheds(this.#most === Infinity ? 0 : this.#buffered);
  }

  /** Counts one more connection or request that uses the share. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** The opposite of `hold`. */
  leave(): void {
    if (--this.#holders === 0) this.#onUnused(this);
  }
}

/** The clients of one worker that hold anything. */
export class ClientShares {
  readonly #shares = new Map<string, ClientShare>();
  readonly #overload: Overload;
  readonly #forget = (share: ClientShare) => {
    this.#shares.delete(share.client);
  };

  /** Share of the connections of trusted proxies: their requests count for the clients behind them. */
  readonly proxies: ClientShare;

  constructor(overload: Overload) {
    this.#overload = overload;
    this.proxies = new ClientShare("proxies", Infinity, overload, () => {});
  }

  /** Clients that hold anything. */
  get size(): number {
    return this.#shares.size;
  }

  /** Whether at most one client holds anything: it has to share with no other. */
  get alone(): boolean {
    return this.#shares.size < 2;
  }

  /** Returns the share of the client at an address; the caller holds it until `leave`. */
  hold(address: string): ClientShare {
    const client = clientOfAddress(address);
    let share = this.#shares.get(client);
    if (share === undefined) {
      share = new ClientShare(client, LIMIT.bufferedPerClient, this.#overload, this.#forget);
      this.#shares.set(client, share);
    }
    return share.hold();
  }
}

/** Returns what stands for the client at an address: the address, or its IPv6 network of 64 bits. */
export function clientOfAddress(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address;
  const [head, tail] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  if (before.length >= NETWORK_GROUPS || tail === undefined) {
    return `${before.slice(0, NETWORK_GROUPS).join(":")}::/64`;
  }
  const after = tail === "" ? [] : tail.split(":");
  const zeros = 8 - before.length - after.length;
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill("0"), ...after];
  return `${groups.slice(0, NETWORK_GROUPS).join(":")}::/64`;
}
