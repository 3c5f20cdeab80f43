/** A WebSocket backend over bare sockets that sends every message back. Usage: websocket_backend.ts PORT. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { CLOSE, type Frame, mask, readFrame, writeFrame } from "./websocket_frame.ts";

/** What the key is hashed with (RFC 6455 section 1.3). */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEAD_END = "\r\n\r\n";

function accepted(head: string): string {
  const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? "";
  const hash = createHash("sha1").update(key + GUID).digest("base64");
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${hash}\r\n\r\n`;
}

function echo(view: Buffer, { opcode, key, start, end }: Frame): Buffer {
  const frame = writeFrame(opcode, view.subarray(start, end), null);
  if (key !== null) mask(frame, frame.length - (end - start), key);
  return frame;
}

function serve(socket: Socket): void {
  let pending: Buffer = Buffer.alloc(0);
  let open = false;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data: Buffer) => {
    let view = pending.length === 0 ? data : Buffer.concat([pending, data]);
    if (!open) {
      const end = view.indexOf(HEAD_END);
      if (end >= 0) {
        open = true;
        socket.write(accepted(view.toString("latin1", 0, end)));
        view = view.subarray(end + HEAD_END.length);
      }
    }
    const answers: Buffer[] = [];
    let closing = false;
    let at = 0;
    while (open && !closing) {
      const frame = readFrame(view, at);
      if (frame === null) break;
      answers.push(echo(view, frame));
      closing = frame.opcode === CLOSE;
      at = frame.end;
    }
    pending = view.subarray(at);
    if (answers.length > 0) socket.write(Buffer.concat(answers));
    if (closing) socket.end();
  });
}

createServer(serve).listen({ host: "127.0.0.1", port: Number(Deno.args[0]), backlog: 511 });
