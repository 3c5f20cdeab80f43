import type { BoundListener, Connection, ConnectOptions, ListenOptions } from "../transport.ts";
import { FORBIDDEN, type UpstreamGuard } from "../upstream_guard.ts";
import { type Descriptor, ERRNO, SystemError } from "./libc.ts";
import { NativeListener } from "./native_listener.ts";
import { NativeConnection, type Shared } from "./native_connection.ts";
import { encodeAddress, isV6 } from "./socket_address.ts";

/** Seconds without traffic after which the kernel asks whether a backend is there still. */
const KEEP_IDLE = 60;
/** Connections that wait to be taken. */
const BACKLOG = 4096;

/** Streams of bytes in the clear on sockets of the kernel's own, through FFI. */
export class NativeStreams {
  readonly #shared: Shared;
  readonly #guard: UpstreamGuard;

  /**
   * @param shared of this thread
   * @param guard where connections may not lead
   */
  constructor(shared: Shared, guard: UpstreamGuard) {
    this.#shared = shared;
    this.#guard = guard;
  }

  listen(options: Omit<ListenOptions, "tls">): BoundListener {
    const { libc } = this.#shared;
    const address = encodeAddress(options.address, options.port);
    const socket = libc.streamSocket(isV6(address));
    try {
      libc.set(socket, "reuseAddress", 1);
      libc.set(socket, "reusePort", 1);
      if (isV6(address)) libc.set(socket, "v6Only", options.address === "" ? 0 : 1);
      libc.bind(socket, address);
      libc.listen(socket, BACKLOG);
      return new NativeListener(this.#shared, socket, options);
    } catch (error) {
      libc.close(socket);
      throw error;
    }
  }

  connect(options: ConnectOptions): Connection {
    const { libc } = this.#shared;
    if (this.#guard.forbids(options.host)) return this.#failed(options, new Error(FORBIDDEN));
    let socket: Descriptor = -1;
    try {
      const address = encodeAddress(options.host, options.port);
      socket = libc.streamSocket(isV6(address));
      libc.set(socket, "noDelay", 1);
      libc.set(socket, "keepAlive", 1);
      libc.set(socket, "keepIdle", KEEP_IDLE);
      const errno = libc.connect(socket, address);
      if (errno !== 0 && errno !== ERRNO.EINPROGRESS) throw new SystemError("connect", errno);
    } catch (error) {
      if (socket !== -1) libc.close(socket);
      return this.#failed(options, error as Error);
    }
    const connection = new NativeConnection(this.#shared, socket).from(options.host, options.port);
    connection.events = options.events;
    if (options.preamble !== null) connection.write(options.preamble);
    connection.begin(() => options.onConnect());
    return connection;
  }

  /** A connection that is over before it has begun. */
  #failed(options: ConnectOptions, error: Error): Connection {
    const connection = new NativeConnection(this.#shared, -1).from(options.host, options.port);
    connection.events = options.events;
    connection.fail(error);
    return connection;
  }
}
