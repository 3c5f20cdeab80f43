import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { NovaEdgeError } from "./errors.ts";

/** Largest message, in bytes: a first delta of some hundred thousand routes. */
const MAX_MESSAGE = 256 * 1024 * 1024;

/** Message limits of every client and server of ours. */
export const MESSAGE_LIMITS = {
  "grpc.max_receive_message_length": MAX_MESSAGE,
  "grpc.max_send_message_length": MAX_MESSAGE,
} as const;

/** Both sides of a stream notice within seconds that the other one is gone, or stands still. */
export const KEEPALIVE = {
  "grpc.keepalive_time_ms": 2_000,
  "grpc.keepalive_timeout_ms": 4_000,
} as const;

/** Name that the certificates of controllers are for. */
export const CONTROLLER_NAME = "novaedge-controller";

/** Metadata of a refused stream that says where the leader is. */
export const LEADER = "novaedge-leader";

/** Metadata of a stream that waits for another leader: where the one was that cannot be reached. */
export const UNREACHABLE = "novaedge-unreachable";

const UNIX = "unix:";

/**
 * Binds a server; a unix socket may be used by its owner and group only.
 * @param address "host:port" or "unix:/path"
 * @throws {NovaEdgeError} BIND, with the address and the reason
 */
export async function bindServer(
  server: Server,
  address: string,
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, credentials, (cause) => {
      if (cause === null) resolve();
      else {reject(
          new NovaEdgeError("BIND", `cannot listen on ${address}: ${cause.message}`, { cause }),
        );}
    });
  });
  if (address.startsWith(UNIX)) await Deno.chmod(address.slice(UNIX.length), 0o660);
}
