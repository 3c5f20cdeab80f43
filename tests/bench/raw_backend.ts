/**
 * A backend over bare sockets, for a machine without nginx and for answers that tell backends apart.
 * Usage: raw_backend.ts ADDRESS PORT=BODY...; any request gets 200 and BODY, /16k gets 16 KiB.
 */
import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import { BODY_16K } from "./bodies.ts";

const LARGE = answer(BODY_16K);

function answer(body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    "latin1",
  );
}

function serve(socket: Socket, small: Buffer): void {
  let pending = "";
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data: Buffer) => {
    pending += data.toString("latin1");
    for (;;) {
      const end = pending.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = pending.slice(0, end);
      pending = pending.slice(end + 4);
      socket.write(head.startsWith("GET /16k ") ? LARGE : small);
      if (/\r\nconnection: *close/i.test(head)) socket.end();
    }
  });
}

const [host, ...bodies] = Deno.args;
for (const argument of bodies) {
  const equals = argument.indexOf("=");
  const body = answer(argument.slice(equals + 1));
  createServer((socket) => serve(socket, body))
    .listen({ host, port: Number(argument.slice(0, equals)), backlog: 511 });
}
