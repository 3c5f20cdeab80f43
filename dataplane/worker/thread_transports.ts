import type { TransportName, TransportSetup } from "../net/create_transport.ts";
import { DESCRIPTORS_SIZE } from "../net/native/descriptors.ts";
import type { SocketSettings } from "../net/native/socket_options.ts";
import { ThreadRemains } from "../net/native/thread_remains.ts";
import {
  freshTicketKey,
  rotateTicketKeys,
  TICKET_KEYS_SIZE,
  TICKET_LIFETIME,
} from "../net/ticket_keys.ts";

/** What the transports of all threads share, kept by the thread that starts them. */
export class ThreadTransports {
  readonly #shared: Omit<TransportSetup, "thread">;
  /** Closes what threads held that died; null where the runtime does. */
  readonly #remains: ThreadRemains | null;
  readonly #rotating: ReturnType<typeof setInterval>;

  constructor(name: TransportName, sockets: SocketSettings) {
    const native = name === "native";
    const ticketKeys = new SharedArrayBuffer(TICKET_KEYS_SIZE);
    const descriptors = new SharedArrayBuffer(native ? DESCRIPTORS_SIZE : 0);
    this.#shared = { name, sockets, ticketKeys, descriptors };
    this.#remains = native ? new ThreadRemains(descriptors) : null;
    const rotate = () => rotateTicketKeys(ticketKeys, freshTicketKey());
    rotate();
    this.#rotating = setInterval(rotate, TICKET_LIFETIME * 1_000);
  }

  /** For a thread; numbers begin at 1. */
  setup(thread: number): TransportSetup {
    return { ...this.#shared, thread };
  }

  /** A thread is over: what it held is closed. */
  clear(thread: number): void {
    this.#remains?.clear(thread);
  }

  /** Bytes from the C library, 0 where nothing of ours asks it for any. */
  nativeMemory(): number {
    return this.#remains?.allocatedBytes() ?? 0;
  }

  stop(): void {
    clearInterval(this.#rotating);
  }
}
