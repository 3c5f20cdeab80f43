/**
 * The C library, behind wrappers that check what they are given. Nothing outside this folder sees a pointer or a
 * descriptor. Buffers are used during the call only, but where a wrapper says otherwise.
 */

import { DescriptorMessage } from "./descriptor_message.ts";
import type { Descriptors } from "./descriptors.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  calloc: { parameters: ["usize", "usize"], result: "pointer" },
  free: { parameters: ["pointer"], result: "void" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  epoll_wait_later: {
    name: "epoll_wait",
    parameters: ["i32", "pointer", "i32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  // Its ten fields are all of size_t's size; it knows of every arena of the process.
  mallinfo2: { parameters: [], result: { struct: Array<"usize">(10).fill("usize") } },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

/** Numbers of errors that are told apart (asm-generic/errno.h: the same on x86_64 and arm64). */
export const ERRNO = {
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  ENFILE: 23,
  EMFILE: 24,
  EPIPE: 32,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EINPROGRESS: 115,
} as const;

/** How errors read, as other programs say them. */
const TEXTS: Readonly<Record<number, string>> = {
  1: "operation not permitted",
  4: "interrupted system call",
  11: "resource temporarily unavailable",
  12: "out of memory",
  13: "permission denied",
  22: "invalid argument",
  23: "too many open files in system",
  24: "too many open files",
  32: "broken pipe",
  38: "function not implemented",
  97: "address family not supported",
  98: "address already in use",
  99: "cannot assign requested address",
  101: "network is unreachable",
  103: "connection aborted",
  104: "connection reset by peer",
  105: "no buffer space available",
  110: "connection timed out",
  111: "connection refused",
  113: "no route to host",
};

/** A call of the system that failed. */
export class SystemError extends Error {
  readonly code = "SYSTEM";

  constructor(readonly call: string, readonly errno: number) {
    super(`${call}: ${TEXTS[errno] ?? `error ${errno}`}`);
  }
}

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
/** Non-blocking, and closed in programs that are started. */
const SOCK_FLAGS = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_PEEK = 2;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const SHUT_WR = 1;
const EPOLL_CLOEXEC = 0o2000000;

/** Options of sockets that are set to whole numbers: level and name. */
const OPTIONS = {
  reuseAddress: [SOL_SOCKET, 2],
  reusePort: [SOL_SOCKET, 15],
  keepAlive: [SOL_SOCKET, 9],
  keepIdle: [IPPROTO_TCP, 4],
  noDelay: [IPPROTO_TCP, 1],
  v6Only: [IPPROTO_IPV6, IPV6_V6ONLY],
  /** Milliseconds that sent bytes may stay unacknowledged (tcp(7)). */
  userTimeout: [IPPROTO_TCP, 18],
  mark: [SOL_SOCKET, 36],
  typeOfService: [IPPROTO_IP, 1],
  trafficClass: [IPPROTO_IPV6, 67],
} as const;

/** Bytes of the largest address of a socket. */
export const ADDRESS_SIZE = 28;

/** What a socket is for: a wrapper over its descriptor would cost a field more for each connection. */
export type Descriptor = number;

/** Memory of the C library's. */
export interface Memory {
  readonly pointer: NonNullable<Deno.PointerValue>;
  readonly bytes: Uint8Array;
}

/** The calls that the transport makes. One object belongs to one thread. */
export class Libc {
  readonly #calls: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** The thread's `errno`, where the library keeps it: valid right after a call that failed. */
  readonly #errno: Int32Array;
  readonly #number = new Int32Array(1);
  readonly #size = new Uint32Array(1);
  readonly #long = new BigUint64Array(1);

  readonly descriptors: Descriptors;

  /**
   * @param descriptors notes what is open
   * @throws {Error} when the C library is not glibc's, or is not there
   */
  constructor(descriptors: Descriptors) {
    this.descriptors = descriptors;
    this.#calls = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    const place = this.#calls.__errno_location();
    if (place === null) throw new Error("the C library keeps no errno");
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place, 4));
  }

  /** What the last call that failed said. */
  get errno(): number {
    return this.#errno[0];
  }

  /** To tell whether a call of another library failed with anything of the system's. */
  set errno(number: number) {
    this.#errno[0] = number;
  }

  /** @throws {SystemError} */
  streamSocket(v6: boolean): Descriptor {
    return this.#opened(
      "socket",
      this.#calls.socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_FLAGS, 0),
    );
  }

  /** @throws {SystemError} */
  set(socket: Descriptor, option: keyof typeof OPTIONS, value: number): void {
    const [level, name] = OPTIONS[option];
    this.#number[0] = value;
    this.#made("setsockopt", this.#calls.setsockopt(socket, level, name, this.#number, 4));
  }

  /** The error that a socket has met, 0 for none. */
  socketError(socket: Descriptor): number {
    this.#size[0] = 4;
    const done = this.#calls.getsockopt(socket, SOL_SOCKET, 4, this.#number, this.#size);
    return done < 0 ? this.errno : this.#number[0];
  }

  /** @throws {SystemError} */
  bind(socket: Descriptor, address: Uint8Array): void {
    this.#made("bind", this.#calls.bind(socket, address as BufferSource, address.length));
  }

  /** @throws {SystemError} */
  listen(socket: Descriptor, backlog: number): void {
    this.#made("listen", this.#calls.listen(socket, backlog));
  }

  /**
   * The next connection that waits, -1 for none (`errno` says why).
   * @param address filled with the peer's
   */
  accept(socket: Descriptor, address: Uint8Array): Descriptor {
    if (address.length < ADDRESS_SIZE) {
      throw new RangeError("the memory for an address is too small");
    }
    this.#size[0] = address.length;
    const accepted = this.#calls.accept4(
      socket,
      address as BufferSource,
      this.#size,
      SOCK_FLAGS,
    );
    if (accepted < 0 || this.descriptors.take(accepted)) return accepted;
    this.#calls.close(accepted);
    this.#errno[0] = ERRNO.EMFILE;
    return -1;
  }

  /** Begins to connect; 0, or what it failed with, which is EINPROGRESS as a rule. */
  connect(socket: Descriptor, address: Uint8Array): number {
    const done = this.#calls.connect(socket, address as BufferSource, address.length);
    return done === 0 ? 0 : this.errno;
  }

  /** @param address filled with a socket's own */
  nameOf(socket: Descriptor, address: Uint8Array): void {
    if (address.length < ADDRESS_SIZE) {
      throw new RangeError("the memory for an address is too small");
    }
    this.#size[0] = address.length;
    this.#made(
      "getsockname",
      this.#calls.getsockname(socket, address as BufferSource, this.#size),
    );
  }

  /** Bytes read, 0 at the end of the stream, -1 when none (`errno` says why). */
  receive(socket: Descriptor, into: Uint8Array): number {
    return Number(this.#calls.recv(socket, into as BufferSource, BigInt(into.length), 0));
  }

  /** As `receive`, and what was read stays to be read. */
  peek(socket: Descriptor, into: Uint8Array): number {
    return Number(this.#calls.recv(socket, into as BufferSource, BigInt(into.length), MSG_PEEK));
  }

  /** Bytes taken, -1 for none (`errno` says why). */
  send(socket: Descriptor, bytes: Uint8Array): number {
    return Number(
      this.#calls.send(socket, bytes as BufferSource, BigInt(bytes.length), MSG_NOSIGNAL),
    );
  }

  /** Says that nothing more will be sent. */
  finish(socket: Descriptor): void {
    this.#calls.shutdown(socket, SHUT_WR);
  }

  /** Makes that closing a socket drops what is queued and sends RST. */
  resetOnClose(socket: Descriptor): void {
    this.#long[0] = 1n;
    this.#calls.setsockopt(socket, SOL_SOCKET, 13, this.#long, 8);
  }

  close(descriptor: Descriptor): void {
    this.descriptors.leave(descriptor);
    this.#calls.close(descriptor);
  }

  /** A counter that wakes who waits for it. @throws {SystemError} */
  eventCounter(): Descriptor {
    return this.#opened("eventfd", this.#calls.eventfd(0, SOCK_FLAGS));
  }

  raise(counter: Descriptor): void {
    this.#long[0] = 1n;
    this.#calls.write(counter, this.#long, 8n);
  }

  lower(counter: Descriptor): void {
    this.#calls.read(counter, this.#long, 8n);
  }

  /** @throws {SystemError} */
  poller(): Descriptor {
    return this.#opened("epoll_create1", this.#calls.epoll_create1(EPOLL_CLOEXEC));
  }

  /** @param event an `epoll_event`. @throws {SystemError} */
  watch(poller: Descriptor, descriptor: Descriptor, event: Uint8Array): void {
    this.#made("epoll_ctl", this.#calls.epoll_ctl(poller, 1, descriptor, event as BufferSource));
  }

  /** Two unix sockets that are connected to each other. @throws {SystemError} */
  socketPair(): [Descriptor, Descriptor] {
    const pair = new Int32Array(2);
    this.#made("socketpair", this.#calls.socketpair(AF_UNIX, SOCK_STREAM | SOCK_FLAGS, 0, pair));
    return [this.#opened("socketpair", pair[0]), this.#opened("socketpair", pair[1])];
  }

  /** Sends copies of descriptors over a unix socket. @throws {SystemError} */
  sendDescriptors(socket: Descriptor, descriptors: readonly Descriptor[]): void {
    const { bytes } = DescriptorMessage.of(descriptors);
    this.#made("sendmsg", Number(this.#calls.sendmsg(socket, bytes, MSG_NOSIGNAL)));
  }

  /**
   * Takes descriptors that wait in a unix socket.
   * @param most as many as one message may bring
   * @throws {SystemError} when none wait
   */
  receiveDescriptors(socket: Descriptor, most: number): Descriptor[] {
    const message = new DescriptorMessage(most);
    const flags = MSG_CMSG_CLOEXEC;
    this.#made("recvmsg", Number(this.#calls.recvmsg(socket, message.bytes, flags)));
    return message.descriptors().map((descriptor) => this.#opened("recvmsg", descriptor));
  }

  /** Memory that stays where it is until it is freed, whatever becomes of this thread. @throws {Error} */
  allocate(length: number): Memory {
    const pointer = this.#calls.calloc(1n, BigInt(length));
    if (pointer === null) throw new Error("out of memory");
    return {
      pointer,
      bytes: new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length)),
    };
  }

  /** Bytes that all threads of the process have from the C library. */
  allocatedBytes(): number {
    const fields = new BigUint64Array(this.#calls.mallinfo2().buffer);
    // What is in use of arenas (uordblks), and what has maps of its own (hblkhd).
    return Number(fields[7] + fields[4]);
  }

  /** The memory must not be used any more. */
  free({ pointer }: Memory): void {
    this.#calls.free(pointer);
  }

  /** Events that are there within some milliseconds, at most `most`; -1 when the call failed. */
  poll(poller: Descriptor, events: Memory, most: number, milliseconds: number): number {
    return this.#calls.epoll_wait(poller, events.pointer, most, milliseconds);
  }

  /**
   * Waits elsewhere; the memory is in use until it resolves, also when this thread is over before.
   * @param milliseconds at most
   */
  pollLater(
    poller: Descriptor,
    events: Memory,
    most: number,
    milliseconds: number,
  ): Promise<number> {
    return this.#calls.epoll_wait_later(poller, events.pointer, most, milliseconds);
  }

  /** A descriptor that was opened, and is noted. @throws {SystemError} */
  #opened(call: string, result: number): Descriptor {
    this.#made(call, result);
    if (this.descriptors.take(result)) return result;
    this.#calls.close(result);
    throw new SystemError(call, ERRNO.EMFILE);
  }

  #made(call: string, result: number): number {
    if (result < 0) throw new SystemError(call, this.errno);
    return result;
  }
}
