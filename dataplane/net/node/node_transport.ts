import net from "node:net";
import tls from "node:tls";
import type {
  BoundListener,
  Connection,
  ConnectOptions,
  ListenOptions,
  TlsServerOptions,
  Transport,
} from "../transport.ts";
import { NodeConnection } from "./connection.ts";

/** The portable transport, on node:net and node:tls. */
export class NodeTransport implements Transport {
  listen(options: ListenOptions): Promise<BoundListener> {
    const server = options.tls === null ? plainServer(options) : tlsServer(options, options.tls);
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
    const socket = net.connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      allowHalfOpen: true,
    });
    const connection = new NodeConnection(socket, null);
    connection.events = options.events;
    socket.once("connect", () => options.onConnect());
    return connection;
  }
}

function plainServer(options: ListenOptions): net.Server {
  const settings = { allowHalfOpen: true, noDelay: true, keepAlive: true };
  return net.createServer(settings, (socket) => {
    const connection = new NodeConnection(socket, null);
    connection.events = options.accept(connection);
  });
}

function tlsServer(options: ListenOptions, settings: TlsServerOptions): net.Server {
  const server = tls.createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    minVersion: settings.minVersion,
    handshakeTimeout: settings.handshakeTimeout,
    ALPNProtocols: ["http/1.1"],
    SNICallback: (serverName, done) => {
      const context = settings.contextFor(serverName.toLowerCase());
      if (context === null) {
        settings.onHandshakeError("unknown_server_name");
        done(new Error("no listener for this server name"));
      } else done(null, context as tls.SecureContext);
    },
  }, (socket) => {
    const asked = (socket as unknown as { servername?: string | false }).servername;
    const serverName = typeof asked === "string" ? asked.toLowerCase() : "";
    const connection = new NodeConnection(socket, {
      serverName,
      alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
      protocol: socket.getProtocol() ?? "",
      listener: settings.listenerFor(serverName),
    });
    connection.events = options.accept(connection);
  });
  server.on("tlsClientError", (_error, socket) => {
    settings.onHandshakeError("failed");
    socket.destroy();
  });
  return server;
}
