import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { LIMIT } from "../config/defaults.ts";
import { ClientShares } from "../loop/client_shares.ts";
import { Overload } from "../loop/overload.ts";
import { CompressionTurns } from "./compression_turns.ts";
import { Compressor, type CompressorOwner } from "./compressor.ts";

/** Turns whose clock and schedule the test drives. */
function scene() {
  const clock = { now: 0 };
  const scheduled: (() => void)[] = [];
  const turns = new CompressionTurns((run) => void scheduled.push(run), () => clock.now);
  return { clock, turns, run: () => scheduled.splice(0).forEach((run) => run()), scheduled };
}

Deno.test("bodies have turns, and a turn of the worker is short", () => {
  const { clock, turns, run, scheduled } = scene();
  const order: string[] = [];
  const body = (name: string, steps: number) => ({
    step() {
      clock.now += 1.5;
      order.push(name);
      if (--steps > 0) turns.goOn(this);
    },
    onFault() {},
  });
  turns.add(body("a", 3));
  turns.add(body("b", 2));
  run();
  assert.deepEqual(order, ["a", "b"], "two steps are more than a turn may take");
  assert.equal(scheduled.length, 1);
  run();
  assert.deepEqual(order, ["a", "b", "a", "b"]);
  run();
  assert.deepEqual(order, ["a", "b", "a", "b", "a"]);
  run();
  assert.equal(scheduled.length, 0);
});

Deno.test("a body that is alone goes on while its turn has time", () => {
  const { clock, turns, run, scheduled } = scene();
  let steps = 0;
  const body = {
    step() {
      clock.now += 0.5;
      steps++;
      if (steps < 6) turns.goOn(this);
    },
    onFault() {},
  };
  turns.add(body);
  run();
  assert.equal(steps, 4);
  run();
  assert.equal(steps, 6);
  assert.equal(scheduled.length, 0);
});

Deno.test("bug: pieces of a body were compressed one after the other, in no turn", async () => {
  const { clock, turns, run } = scene();
  const share = new ClientShares(new Overload()).hold("192.0.2.1");
  const pieces: number[] = [];
  let ended = () => {};
  const end = new Promise<void>((resolve) => ended = resolve);
  const owner: CompressorOwner = {
    onCompressed(bytes, over) {
      // What compressing costs.
      clock.now += 3;
      if (bytes !== null) pieces.push(bytes.length);
      if (over) ended();
      return true;
    },
    onCompressorDrain() {},
    onCompressorError: () => assert.fail("it cannot be compressed"),
    onFault: () => assert.fail("it cannot be compressed"),
  };
  const compressor = new Compressor("gzip", 6, owner, { turns, share });
  compressor.write(Buffer.alloc(64 * 1024, "text"));
  compressor.end();
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  for (let turn = 1; turn <= 8; turn++) {
    run();
    await settled();
    assert.ok(pieces.length <= turn + 1, `${pieces.length} pieces in ${turn} turns`);
  }
  run();
  await end;
  compressor.destroy();
});

Deno.test("places are bounded in all and by client, and the level falls when many are taken", () => {
  const { turns } = scene();
  const clients = Array.from({ length: 20 }, () => ({ compressors: 0 }));
  const levels: number[] = [];
  for (let i = 0; turns.admits(clients[0]); i++) levels.push(turns.enter(clients[0], 6));
  assert.equal(levels.length, LIMIT.compressorsPerClient);
  for (const client of clients) {
    while (turns.admits(client)) levels.push(turns.enter(client, 6));
  }
  assert.equal(turns.active, LIMIT.compressors);
  assert.deepEqual([levels[0], levels[7], levels[20]], [6, 4, 1]);
  turns.leave(clients[0]);
  assert.equal(turns.admits(clients[0]), true);
  for (const client of clients) while (client.compressors > 0) turns.leave(client);
});
