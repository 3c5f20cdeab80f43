/**
 * The floor: the same runtime and the same sockets as the dataplane's, but nothing is parsed. Bytes go
 * both ways between a client connection and an upstream connection from a pool, without TLS, log or
 * metrics. Usage: relay.ts PORT UPSTREAM_PORT.
 *
 * Not for anything but measuring: a client that leaves amid an answer would spoil the next one, so the
 * upstream connection goes back to the pool only when the last bytes came from the backend.
 */
import type { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";

const [port, upstreamPort] = Deno.args.map(Number);

class Upstream {
  client: Socket | null = null;
  /** Whether bytes of the client are waiting for an answer. */
  asked = false;
  readonly socket: Socket;

  constructor() {
    this.socket = connect({ host: "127.0.0.1", port: upstreamPort, noDelay: true });
    this.socket.on("data", (data: Buffer) => {
      this.asked = false;
      if (this.client?.write(data) === false) this.socket.pause();
    });
    this.socket.on("drain", () => this.client?.resume());
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      const at = idle.indexOf(this);
      if (at >= 0) idle.splice(at, 1);
      this.client?.end();
      this.client = null;
    });
  }
}

const idle: Upstream[] = [];

createServer({ noDelay: true }, (client) => {
  const upstream = idle.pop() ?? new Upstream();
  upstream.client = client;
  client.on("data", (data: Buffer) => {
    upstream.asked = true;
    if (!upstream.socket.write(data)) client.pause();
  });
  client.on("drain", () => upstream.socket.resume());
  client.on("error", () => {});
  client.on("close", () => {
    if (upstream.client !== client) return;
    upstream.client = null;
    if (upstream.asked) upstream.socket.destroy();
    else {
      upstream.socket.resume();
      idle.push(upstream);
    }
  });
}).listen({ host: "127.0.0.1", port, backlog: 511 });
