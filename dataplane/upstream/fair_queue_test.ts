import assert from "node:assert/strict";
import fc from "fast-check";
import { FairQueue } from "./fair_queue.ts";

const clients = Array.from({ length: 4 }, (_, id) => ({ id }));
const item = (client: number, number: number) => ({ share: clients[client], number });

Deno.test("clients have turns, and of one client the first comes first", () => {
  const queue = new FairQueue<ReturnType<typeof item>>(() => 0);
  for (let i = 0; i < 100; i++) queue.push(item(0, i));
  queue.push(item(1, 0));
  queue.push(item(1, 1));
  const order = Array.from({ length: 5 }, () => queue.take()!);
  assert.deepEqual(order.map(({ share, number }) => [share.id, number]), [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
    [0, 2],
  ]);
  assert.equal(queue.length, 97);
});

Deno.test("who holds least is next", () => {
  const held = new Map<object | null, number>([[clients[0], 5], [clients[1], 2]]);
  const queue = new FairQueue<ReturnType<typeof item>>((share) => held.get(share) ?? 0);
  for (const client of [0, 1, 2, 0, 1, 2]) queue.push(item(client, 0));
  const order = Array.from({ length: 6 }, () => queue.take()!.share.id);
  assert.deepEqual(order, [2, 2, 1, 1, 0, 0]);
});

Deno.test("what does not meet the condition keeps its place", () => {
  const queue = new FairQueue<ReturnType<typeof item>>(() => 0);
  for (const i of [1, 2, 3]) queue.push(item(0, i));
  assert.equal(queue.take(({ number }) => number > 1)?.number, 2);
  assert.equal(queue.take(({ number }) => number > 9), null);
  assert.deepEqual(queue.takeAll().map(({ number }) => number), [1, 3]);
  assert.equal(queue.length, 0);
});

Deno.test("the client with most waiting is found, and its last", () => {
  const queue = new FairQueue<ReturnType<typeof item>>(() => 0);
  for (let i = 0; i < 3; i++) queue.push(item(2, i));
  queue.push(item(1, 0));
  assert.equal(queue.lastOfLongest(2)?.number, 2);
  assert.equal(queue.lastOfLongest(3), null);
  assert.equal(queue.count(clients[2]), 3);
  queue.remove(clients[2], ({ number }) => number === 1);
  assert.equal(queue.count(clients[2]), 2);
});

Deno.test("property: it holds what was put in and not taken out, whatever is done", () => {
  const step = fc.oneof(
    fc.record({ put: fc.nat(3) }),
    fc.record({ take: fc.boolean() }),
    fc.record({ remove: fc.nat(3) }),
  );
  fc.assert(fc.property(fc.array(step), (steps) => {
    const queue = new FairQueue<ReturnType<typeof item>>(() => 0);
    const model: ReturnType<typeof item>[] = [];
    steps.forEach((step, number) => {
      if ("put" in step) {
        const added = item(step.put, number);
        queue.push(added);
        model.push(added);
      } else if ("take" in step) {
        const taken = queue.take(({ number }) => step.take || number % 2 === 0);
        if (taken !== null) model.splice(model.indexOf(taken), 1);
      } else {
        const share = clients[step.remove];
        queue.remove(share, () => true);
        const position = model.findIndex((one) => one.share === share);
        if (position >= 0) model.splice(position, 1);
      }
      assert.equal(queue.length, model.length);
      assert.equal(queue.find(() => true) === undefined, model.length === 0);
    });
    assert.deepEqual(new Set(queue.takeAll()), new Set(model));
  }));
});
