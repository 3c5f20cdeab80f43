import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import tls from "node:tls";
import { contained } from "../../loop/containment.ts";
import { type ClientTls, type ConnectOptions, TlsError } from "../transport.ts";
import { serverNameProblem } from "../x509/server_name.ts";
import type { NodeConnection } from "./connection.ts";
import { openTls } from "./tls_socket.ts";

const contexts = new WeakMap<ClientTls, tls.SecureContext | null>();

/** One context serves all connections of a backend; null leaves the system's roots. */
function contextOf(settings: ClientTls): tls.SecureContext | null {
  let context = contexts.get(settings);
  if (context === undefined) {
    const { ca, identity } = settings;
    context = ca === null && identity === null ? null : tls.createSecureContext({
      ...(ca === null ? {} : { ca: Buffer.from(ca) }),
      ...(identity === null
        ? {}
        : { cert: Buffer.from(identity.cert), key: Buffer.from(identity.key) }),
    });
    contexts.set(settings, context);
  }
  return context;
}

/** Makes the handshake on an open TCP socket and hands the result to `connection`. */
export function connectTls(
  raw: Socket,
  settings: ClientTls,
  options: ConnectOptions,
  connection: NodeConnection,
): void {
  const context = contextOf(settings);
  const name = settings.serverName || options.endpointName;
  const isName = /[a-z]/i.test(name) && !name.includes(":");
  const socket = open({
    socket: raw,
    // The name that is checked; it is sent as SNI only if it is one.
    host: name,
    ...(isName ? { servername: name } : {}),
    ...(context === null ? {} : { secureContext: context }),
    ALPNProtocols: [...options.alpn],
    rejectUnauthorized: !settings.insecure,
    minVersion: "TLSv1.2",
    // The runtime's own check reads a printed form, in which one name can pretend to be two.
    checkServerIdentity: (_host: string, { raw }: tls.PeerCertificate) => {
      const problem = serverNameProblem(raw, name, settings.sans);
      return problem === "" ? undefined : new TlsError(problem);
    },
  });
  if (socket instanceof Error) {
    raw.destroy();
    connection.fail(new TlsError(socket.message, { cause: socket }));
    return;
  }
  const fail = (error: Error) => {
    socket.destroy();
    raw.destroy();
    connection.fail(new TlsError(error.message, { cause: error }));
  };
  const ended = () => fail(new Error("closed during the handshake"));
  socket.once("error", fail);
  socket.once("end", ended);
  socket.once("close", ended);
  socket.once("secureConnect", () => {
    socket.removeListener("error", fail);
    socket.removeListener("end", ended);
    socket.removeListener("close", ended);
    if (connection.closed) {
      socket.destroy();
      return;
    }
    const { truncated } = openTls(socket);
    connection.attach(socket, {
      raw,
      truncated,
      facts: {
        serverName: name,
        alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
        protocol: socket.getProtocol() ?? "",
        listener: "",
        resumed: socket.isSessionReused(),
        peerChain: [],
      },
    });
    connection.readAfterWriteFailure();
    contained(connection, options.onConnect);
  });
}

/** Begins a handshake; a connection that has just failed makes the runtime throw. */
function open(options: tls.ConnectionOptions): tls.TLSSocket | Error {
  try {
    return tls.connect(options);
  } catch (error) {
    return error as Error;
  }
}
