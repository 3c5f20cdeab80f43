import type { World } from "../world.ts";
import { grpcUser } from "./grpc.ts";
import { http1User } from "./http1.ts";
import { http2User } from "./http2.ts";
import { webSocketUser } from "./websocket.ts";

/** Users of each kind: without and with TLS. */
const USERS: readonly (readonly [
  user: (world: World, secure: boolean) => Promise<void>,
  plain: number,
  secure: number,
])[] = [
  [http1User, 16, 8],
  [http2User, 4, 3],
  [grpcUser, 4, 3],
  [webSocketUser, 4, 2],
];

/** Starts all users; resolves when they have left. */
export async function startTraffic(world: World): Promise<void> {
  const running = USERS.flatMap(([user, plain, secure]) => [
    ...Array.from({ length: plain }, () => user(world, false)),
    ...Array.from({ length: secure }, () => user(world, true)),
  ]);
  await Promise.all(running);
}
