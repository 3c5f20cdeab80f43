import net from "node:net";
import tls from "node:tls";

/** A connection to the edge: what is spoken on it, and the TCP socket below, which can be reset. */
export interface Dialled {
  readonly socket: net.Socket;
  readonly raw: net.Socket;
}

/** Connects; rejects when that fails. @param alpn speaks TLS and offers this, null for cleartext */
export function dial(port: number, alpn: string | null): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    const raw = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    raw.once("error", reject);
    raw.once("connect", () => {
      if (alpn === null) {
        raw.removeListener("error", reject);
        resolve({ socket: raw, raw });
        return;
      }
      const socket = tls.connect({
        socket: raw,
        servername: "localhost",
        rejectUnauthorized: false,
        ALPNProtocols: [alpn],
      });
      socket.once("error", reject);
      // An end within the handshake is no error of its own.
      socket.once("close", () => reject(new Error("closed within the handshake")));
      socket.once("secureConnect", () => {
        socket.removeListener("error", reject);
        resolve({ socket, raw });
      });
    });
  });
}

/** Ends a connection with RST, as a crashed client or a NAT that forgot it would. */
export function resetConnection({ socket, raw }: Dialled): void {
  raw.resetAndDestroy();
  if (socket !== raw) socket.destroy();
}
