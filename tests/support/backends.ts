import net from "node:net";
import type { Buffer } from "node:buffer";

/** A backend under the test's control. */
export interface TestBackend {
  readonly port: number;
  /** Requests seen so far, "METHOD path". */
  readonly requests: string[];
  /** Connections accepted so far. */
  readonly connections: () => number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An HTTP backend that answers by a handler. */
export function httpBackend(
  handler: (request: Request) => Response | Promise<Response>,
): TestBackend {
  const requests: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    requests.push(`${request.method} ${new URL(request.url).pathname}`);
    return handler(request);
  });
  return {
    port: server.addr.port,
    requests,
    connections: () => 0,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A backend that answers every request with one text. */
export function textBackend(text: string): TestBackend {
  return httpBackend(() => new Response(text));
}

/**
 * A backend on raw sockets: the handler gets each complete request head (and what came with it) and
 * writes whatever it likes.
 */
export async function rawBackend(
  handler: (socket: net.Socket, head: string, nth: number) => void,
): Promise<TestBackend> {
  const requests: string[] = [];
  const sockets = new Set<net.Socket>();
  let accepted = 0;
  const server = net.createServer((socket) => {
    accepted++;
    sockets.add(socket);
    let text = "";
    let nth = 0;
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      const head = text;
      text = "";
      requests.push(head.split(" HTTP/", 1)[0]);
      handler(socket, head, ++nth);
    });
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    requests,
    connections: () => accepted,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
