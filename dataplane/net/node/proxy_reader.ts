import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { parseProxyHeader, type ProxyEndpoint } from "../proxy_protocol.ts";
import type { ProxyHeaderOptions } from "../transport.ts";

/** Reads the PROXY header that a trusted peer must send first; then the socket is as it was. */
export function readProxyHeader(
  socket: Socket,
  options: ProxyHeaderOptions,
  done: (source: ProxyEndpoint | null) => void,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const refuse = (reason: string) => {
    stop();
    options.onBadHeader(reason);
    socket.destroy();
  };
  const timer = setTimeout(() => refuse("timeout"), options.timeout);
  const onData = (view: Buffer) => {
    bytes = Buffer.concat([bytes, view]);
    const header = parseProxyHeader(bytes, options.version);
    if (header.kind === "incomplete") return;
    if (header.kind === "invalid") {
      refuse(header.reason);
      return;
    }
    stop();
    socket.pause();
    if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
    done(header.source);
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
