import { NovaEdgeError } from "./errors.ts";
import { originRefusal } from "./request_guard.ts";

/** A port that answers probes or metrics. */
export interface StatusServer {
  shutdown(): Promise<void>;
}

/** Handlers by path. */
export type StatusPaths = Readonly<
  Record<string, (request: Request) => Response | Promise<Response>>
>;

/**
 * Returns a handler that serves GET and HEAD of fixed paths. It accepts every Host: a kubelet sends the pod's
 * address, Prometheus its configured target, and probes and metrics hold no secrets and change nothing.
 * Cross-origin requests are refused.
 */
export function statusHandler(
  paths: StatusPaths,
): (request: Request) => Response | Promise<Response> {
  return (request) => {
    const refused = originRefusal(request);
    if (refused !== null) return refused;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("methods are GET, HEAD\n", {
        status: 405,
        headers: { allow: "GET, HEAD" },
      });
    }
    const path = URL.canParse(request.url) ? new URL(request.url).pathname : "";
    const handler = Object.hasOwn(paths, path) ? paths[path] : undefined;
    return handler === undefined ? new Response("not found\n", { status: 404 }) : handler(request);
  };
}

/** Serves these paths on a port. @throws {NovaEdgeError} when it cannot be bound */
export function serveStatus(port: number, paths: StatusPaths, hostname = "0.0.0.0"): StatusServer {
  try {
    return Deno.serve({ port, hostname, onListen() {} }, statusHandler(paths));
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
