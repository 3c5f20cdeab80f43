/**
 * The floor: the same runtime and the same sockets as the dataplane's, but nothing is parsed. Bytes go
 * both ways between a client connection and an upstream connection of its own, without log or metrics.
 * Usage: relay.ts PORT UPSTREAM_PORT [CERTIFICATE KEY], with which clients are to speak TLS.
 */
import type { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

const [port, upstreamPort] = Deno.args.map(Number);
const [, , certificate, key] = Deno.args;

/** Opened by the client's first bytes: a handshake alone costs the proxies no upstream connection. */
function open(client: Socket): Socket {
  const upstream = connect({ host: "127.0.0.1", port: upstreamPort, noDelay: true });
  upstream.on("data", (data: Buffer) => {
    if (!client.write(data)) upstream.pause();
  });
  upstream.on("drain", () => client.resume());
  upstream.on("error", () => {});
  upstream.on("close", () => client.end());
  return upstream;
}

function serve(client: Socket): void {
  let upstream: Socket | null = null;
  client.on("data", (data: Buffer) => {
    upstream ??= open(client);
    if (!upstream.write(data)) client.pause();
  });
  client.on("drain", () => upstream?.resume());
  client.on("error", () => {});
  client.on("close", () => upstream?.destroy());
}

const server = certificate === undefined
  ? createServer({ noDelay: true }, serve)
  : createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (socket) => {
    socket.setNoDelay(true);
    serve(socket);
  });
server.listen({ host: "127.0.0.1", port, backlog: 511 });
