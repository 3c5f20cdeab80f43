import { Buffer } from "node:buffer";
import { once } from "node:events";
import http from "node:http";
import type { UpstreamGuard } from "./upstream_guard.ts";
import { openGuarded } from "./guarded_socket.ts";

/** An answer as it came; redirects are not followed. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface GetOptions {
  /** Milliseconds for all of it. */
  readonly timeout: number;
  /** Bytes of the largest body. */
  readonly largest: number;
  readonly accept: string;
}

/**
 * Asks for a document over http or https, from where connections may lead.
 * @throws when the address is forbidden, nobody answers in time, or the body is too large
 */
export async function guardedGet(
  url: string,
  guard: UpstreamGuard,
  { timeout, largest, accept }: GetOptions,
): Promise<Answer> {
  const { protocol, hostname, host, port, pathname, search } = new URL(url);
  const name = hostname.replace(/^\[|\]$/g, "");
  const secure = protocol === "https:";
  const signal = AbortSignal.timeout(timeout);
  const target = {
    host: name,
    port: Number(port) || (secure ? 443 : 80),
    servername: secure ? name : null,
  };
  const socket = openGuarded(target, guard);
  try {
    await once(socket, secure ? "secureConnect" : "connect", { signal });
    const request = http.request({
      path: `${pathname}${search}`,
      headers: { host, accept, connection: "close" },
      createConnection: () => socket,
    });
    return await answerTo(request, signal, largest);
  } finally {
    socket.destroy();
  }
}

function answerTo(
  request: http.ClientRequest,
  signal: AbortSignal,
  largest: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Uint8Array[] = [];
      let length = 0;
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > largest) reject(new Error(`larger than ${largest} bytes`));
      });
      response.on("error", reject);
      response.on("aborted", () => reject(new Error("the answer was cut")));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    request.end();
  });
}
