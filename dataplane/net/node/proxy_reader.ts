import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { contained } from "../../loop/containment.ts";
import { GrowingBuffer } from "../../../common/growing_buffer.ts";
import { parseProxyHeader, type ProxyEndpoint } from "../proxy_protocol.ts";
import type { ProxyHeaderOptions } from "../transport.ts";

/**
 * Reads the PROXY header that a trusted peer must send first, and pauses the socket.
 * @param done gets whom the peer speaks for, null for itself, and the bytes that came behind the header
 */
export function readProxyHeader(
  socket: Socket,
  options: ProxyHeaderOptions,
  done: (source: ProxyEndpoint | null, rest: Buffer) => void,
): void {
  const kept = new GrowingBuffer(Buffer.alloc(0));
  const refuse = (reason: string) => {
    stop();
    options.onBadHeader(reason);
    socket.destroy();
  };
  const timer = setTimeout(() => refuse("timeout"), options.timeout);
  const boundary = { onFault: () => socket.resetAndDestroy() };
  const onData = (view: Buffer) => contained(boundary, () => take(view));
  const take = (view: Buffer) => {
    kept.append(view);
    const { bytes } = kept;
    const header = parseProxyHeader(bytes, options.version);
    if (header.kind === "incomplete") return;
    if (header.kind === "invalid") {
      refuse(header.reason);
      return;
    }
    stop();
    socket.pause();
    const behind = socket.read() as Buffer | null;
    const rest = bytes.subarray(header.length);
    done(header.source, behind === null ? rest : Buffer.concat([rest, behind]));
  };
  const onGone = () => refuse("closed");
  const stop = () => {
    clearTimeout(timer);
    socket.removeListener("data", onData);
    socket.removeListener("end", onGone);
    socket.removeListener("close", stop);
  };
  socket.on("error", () => {});
  socket.on("data", onData);
  socket.once("end", onGone);
  socket.once("close", stop);
}
