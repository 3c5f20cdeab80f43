import type { Buffer } from "node:buffer";
import net from "node:net";
import { chance, rollLength } from "../dice.ts";

/** Most bytes after which a connection is torn. */
const LIFE = 8 << 20;

/**
 * Passes bytes on to a backend and tears each connection at a random byte: a network or a process that
 * fails, with everything that is going on in it.
 */
export function tearingRelay(target: number): Promise<net.Server> {
  const server = net.createServer({ noDelay: true }, (near) => {
    const far = net.connect({ port: target, host: "127.0.0.1", noDelay: true });
    // Most fail with much going on, some within the first frames.
    let left = chance(0.1) ? rollLength(1_000) : LIFE / 2 + rollLength(LIFE / 2);
    const tear = () => {
      near.resetAndDestroy();
      far.resetAndDestroy();
    };
    const pass = (from: net.Socket, to: net.Socket) => {
      from.on("data", (data: Buffer) => {
        left -= data.length;
        const kept = left < 0 ? data.subarray(0, data.length + left) : data;
        if (!to.write(kept)) from.pause();
        if (left < 0) tear();
      });
      to.on("drain", () => from.resume());
      from.on("end", () => to.end());
      from.on("error", () => {});
      from.on("close", () => to.destroy());
    };
    pass(near, far);
    pass(far, near);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
