import { NovaEdgeError } from "./errors.ts";

/** A port that answers probes or metrics. */
export interface StatusServer {
  shutdown(): Promise<void>;
}

/** Serves GET requests of fixed paths; anything else is 404. */
export function serveStatus(
  port: number,
  paths: Readonly<Record<string, () => Response | Promise<Response>>>,
  hostname = "0.0.0.0",
): StatusServer {
  try {
    return Deno.serve({ port, hostname, onListen() {} }, (request) => {
      const handler = paths[new URL(request.url).pathname];
      return handler === undefined ? new Response("not found\n", { status: 404 }) : handler();
    });
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse
      ? "the port is taken"
      : (error as Error).message;
    throw new NovaEdgeError("BIND", `cannot listen on ${hostname}:${port}: ${reason}`, {
      cause: error,
    });
  }
}

/** Answer of a probe. */
export function probe(ready: boolean, reason: string): Response {
  return ready ? new Response("ok\n") : new Response(`${reason}\n`, { status: 503 });
}
