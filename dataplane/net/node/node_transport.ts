import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { contained } from "../../loop/containment.ts";
import type { TurnEnd } from "../../loop/turn_end.ts";
import type {
  Admission,
  BoundListener,
  Connection,
  ConnectOptions,
  ListenOptions,
  TlsIdentity,
  Transport,
} from "../transport.ts";
import { FORBIDDEN, type UpstreamGuard } from "../upstream_guard.ts";
import { verifySignature } from "../x509/verify_signature.ts";
import { NodeConnection, plainAddress, type Shared } from "./connection.ts";
import { readProxyHeader } from "./proxy_reader.ts";
import { connectTls } from "./tls_client.ts";
import { ReadTurns } from "./read_turns.ts";
import { NodeTlsServer } from "./tls_server.ts";

/** The portable transport, on node:net and node:tls. */
export class NodeTransport implements Transport {
  readonly choosesCiphers = false;
  readonly verifySignature = verifySignature;
  readonly #shared: Shared;
  readonly #guard: UpstreamGuard;

  /**
   * @param turnEnd when small pieces are written
   * @param afterOthers runs a function when the events of others that are ready now were handled
   * @param alone whether at most one client is connected
   * @param guard where connections may not lead
   */
  constructor(
    turnEnd: TurnEnd,
    afterOthers: (run: () => void) => void,
    alone: () => boolean,
    guard: UpstreamGuard,
  ) {
    this.#shared = {
      turnEnd,
      readTurns: new ReadTurns(afterOthers, () => performance.now(), alone),
    };
    this.#guard = guard;
  }

  listen(options: ListenOptions): Promise<BoundListener> {
    const server = createServer(options, this.#shared);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      // Without a host the runtime takes every address of both families, or IPv4's where IPv6 is off.
      const host = options.address === "" ? {} : { host: options.address };
      server.listen({ ...host, port: options.port, reusePort: true, backlog: 4096 }, () => {
        server.removeListener("error", reject);
        server.on("error", options.onError);
        const bound = server.address() as net.AddressInfo;
        resolve({
          address: bound.address,
          port: bound.port,
          close: () => new Promise((done) => server.close(() => done())),
        });
      });
    });
  }

  connect(options: ConnectOptions): Connection {
    const { tls: settings, preamble } = options;
    const forbidden = () => new Error(FORBIDDEN);
    if (this.#guard.forbids(options.host)) {
      const connection = new NodeConnection(this.#shared).from(options.host, options.port);
      connection.events = options.events;
      queueMicrotask(() => connection.fail(forbidden()));
      return connection;
    }
    const socket = net.connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      allowHalfOpen: true,
    });
    const connection = new NodeConnection(this.#shared).from(options.host, options.port);
    connection.events = options.events;
    if (settings === null) {
      connection.attach(socket, null);
      connection.readAfterWriteFailure();
      socket.once("connect", () => {
        if (this.#guard.forbids(socket.remoteAddress ?? "")) {
          socket.destroy(forbidden());
          return;
        }
        if (preamble !== null) socket.write(preamble);
        contained(connection, options.onConnect);
      });
      return connection;
    }
    connection.opening(socket);
    const fail = (error?: Error) => {
      socket.destroy();
      connection.fail(error ?? new Error("closed"));
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      if (this.#guard.forbids(socket.remoteAddress ?? "")) {
        fail(forbidden());
        return;
      }
      socket.removeListener("error", fail);
      if (connection.closed) {
        socket.destroy();
        return;
      }
      socket.on("error", () => {});
      if (preamble !== null) socket.write(preamble);
      connectTls(socket, settings, options, connection);
    });
    return connection;
  }

  close(): void {}

  identityProblem({ cert, key }: TlsIdentity): string {
    try {
      tls.createSecureContext({ cert: Buffer.from(cert), key: Buffer.from(key) });
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  }
}

function createServer(options: ListenOptions, shared: Shared): net.Server {
  const settings = { allowHalfOpen: true, noDelay: true, keepAlive: true };
  const accept = (connection: NodeConnection, admission: Admission) => {
    admission.establish();
    connection.events = options.accept(connection);
  };
  const handshakes = options.tls === null ? null : new NodeTlsServer(options.tls, shared);
  const proceed = (
    socket: net.Socket,
    admission: Admission,
    address: string,
    port: number,
    first: Buffer | null,
  ) => {
    if (handshakes !== null) {
      if (first !== null) socket.unshift(first);
      handshakes.accept(socket, address, port, (connection) => accept(connection, admission));
      return;
    }
    const connection = new NodeConnection(shared).from(address, port);
    connection.attach(socket, null);
    accept(connection, admission);
    // Not by way of the socket: what it reads from now on would overtake what is given back to it.
    if (first !== null) connection.socketData(first);
  };
  const take = (socket: net.Socket) => {
    const address = plainAddress(socket.remoteAddress ?? "");
    const port = socket.remotePort ?? 0;
    const asked = options.proxyHeader();
    const proxied = asked !== null && asked.trusts(address) ? asked : null;
    const admission = options.admit(address, proxied !== null);
    if (admission === null) {
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    socket.once("close", () => admission.release());
    admission.evict = () => socket.resetAndDestroy();
    if (proxied === null) {
      proceed(socket, admission, address, port, null);
      return;
    }
    readProxyHeader(socket, proxied, (source, rest) => {
      const first = rest.length === 0 ? null : rest;
      if (source === null) {
        proceed(socket, admission, address, port, first);
        return;
      }
      const client = plainAddress(source.address);
      if (admission.moveTo(client)) proceed(socket, admission, client, source.port, first);
      else socket.destroy();
    });
  };
  return net.createServer(
    settings,
    (socket) => contained({ onFault: () => socket.resetAndDestroy() }, () => take(socket)),
  );
}
