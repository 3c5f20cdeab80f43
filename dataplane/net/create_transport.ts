import { setImmediate } from "node:timers";
import type { Ticker } from "../loop/ticker.ts";
import { Pauses } from "../loop/pauses.ts";
import { TurnEnd } from "../loop/turn_end.ts";
import { Descriptors } from "./native/descriptors.ts";
import { Libc } from "./native/libc.ts";
import { NativeTransport } from "./native/native_transport.ts";
import { Poller } from "./native/poller.ts";
import type { SocketSettings } from "./native/socket_options.ts";
import { dropSpareMemory } from "./node/read_memory.ts";
import { NodeTransport } from "./node/node_transport.ts";
import type { Transport } from "./transport.ts";
import type { UpstreamGuard } from "./upstream_guard.ts";

/** Implementations of the transport. */
export const TRANSPORTS = ["node", "native"] as const;

export type TransportName = (typeof TRANSPORTS)[number];

/** A transport, and how what is computed beside it takes turns with its sockets. */
export interface TransportParts {
  readonly transport: Transport;
  readonly turnEnd: TurnEnd;
  /** Runs something when the events of others that are ready now were handled. */
  afterOthers(run: () => void): void;
  /** Lets memory go that is kept for transfers to come. */
  dropSpareMemory(): void;
}

/** What crosses to each thread that carries streams. */
export interface TransportSetup {
  readonly name: TransportName;
  /** Keys of session tickets; the node transport cannot use them. */
  readonly ticketKeys: SharedArrayBuffer;
  /** What the threads hold, for the native transport. */
  readonly descriptors: SharedArrayBuffer;
  /** Number of the thread, from 1. */
  readonly thread: number;
  readonly sockets: SocketSettings;
}

/**
 * Makes the transport of this thread.
 * @param ticker of this thread
 * @param alone whether at most one client is connected: no other waits for its transfers
 */
export function createTransport(
  { name, ticketKeys, descriptors, thread, sockets }: TransportSetup,
  guard: UpstreamGuard,
  ticker: Ticker,
  alone: () => boolean,
): TransportParts {
  if (name === "node") return createNodeTransport(guard, alone);
  const libc = new Libc(new Descriptors(descriptors, thread));
  const now = () => performance.now();
  const poller = new Poller(libc, now);
  const turnEnd = new TurnEnd((run) => poller.afterBatch(run));
  const parts = { libc, poller, turnEnd, ticker, guard, ticketKeys, now, sockets };
  const transport = new NativeTransport(parts);
  return { transport, turnEnd, afterOthers: (run) => poller.later(run), dropSpareMemory() {} };
}

/**
 * Makes the portable transport.
 * @param alone whether at most one client is connected: no other waits for its transfers
 */
export function createNodeTransport(guard: UpstreamGuard, alone: () => boolean): TransportParts {
  // Events that are ready now are handled before what setImmediate asks for.
  const turnEnd = new TurnEnd((run) => setImmediate(run));
  const pauses = new Pauses({
    immediately: (run) => void setImmediate(run),
    after: (milliseconds, run) => void setTimeout(run, milliseconds),
    now: () => performance.now(),
  });
  const afterOthers = (run: () => void) => pauses.do(run);
  const transport = new NodeTransport(turnEnd, afterOthers, alone, guard);
  return { transport, turnEnd, afterOthers, dropSpareMemory };
}
