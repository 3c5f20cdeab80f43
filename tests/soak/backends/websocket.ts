import type { Buffer } from "node:buffer";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

/** What the server does with a WebSocket. */
export type SocketFault =
  | "none"
  /** Resets instead of its 101. */
  | "reset-before"
  /** Answers 403 instead. */
  | "refuse"
  /** Resets after `at` messages. */
  | "reset"
  /** Closes in order after `at` messages. */
  | "close";

/** Code of a close that the server begins. */
export const SERVER_CLOSE = 4000;

/** Echoes messages, and does what the path says; the port it listens on. */
export function webSocketBackend(): Promise<number> {
  const sockets = new WebSocketServer({ noServer: true });
  const server = http.createServer();
  server.on("upgrade", (request, socket: Socket, head: Buffer) => {
    const { searchParams } = new URL(request.url!, "http://soak");
    const fault = searchParams.get("fault") as SocketFault;
    if (fault === "reset-before") socket.resetAndDestroy();
    else if (fault === "refuse") {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    } else {
      sockets.handleUpgrade(
        request,
        socket,
        head,
        (opened: WebSocket) => serve(opened, socket, fault, Number(searchParams.get("at"))),
      );
    }
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
  );
}

function serve(opened: WebSocket, socket: Socket, fault: SocketFault, at: number): void {
  let messages = 0;
  opened.on("error", () => {});
  opened.on("message", (data: Buffer, binary: boolean) => {
    const last = messages++ === at;
    if (last && fault === "reset") socket.resetAndDestroy();
    else if (last && fault === "close") opened.close(SERVER_CLOSE);
    else opened.send(data, { binary });
  });
}
