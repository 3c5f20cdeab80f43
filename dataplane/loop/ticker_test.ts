import assert from "node:assert/strict";
import fc from "fast-check";
import { type Deadlined, ENDS, Ticker } from "./ticker.ts";

class Item implements Deadlined {
  tickerSlot = -1;
  fired = 0;
  constructor(public deadline: number, readonly then: () => void = () => {}) {}
  onFault(): void {}
  onDeadline(): void {
    this.fired++;
    this.then();
  }
}

Deno.test("what is due fires once, at its time and not before", () => {
  const ticker = new Ticker();
  const [early, late, never] = [new Item(100), new Item(200), new Item(Infinity)];
  for (const item of [early, late, never]) ticker.add(item);
  ticker.tick(99);
  assert.deepEqual([early.fired, late.fired, ticker.now], [0, 0, 99]);
  ticker.tick(100);
  assert.deepEqual([early.fired, late.fired], [1, 0]);
  ticker.tick(1000);
  ticker.tick(2000);
  assert.deepEqual([early.fired, late.fired, never.fired], [1, 1, 0]);
});

Deno.test("a deadline set again in its own call holds for the next time", () => {
  const ticker = new Ticker();
  const item: Item = new Item(100, () => void (item.deadline = ticker.now + 100));
  ticker.add(item);
  ticker.tick(100);
  ticker.tick(150);
  ticker.tick(200);
  assert.equal(item.fired, 2);
});

Deno.test("removing twice, or what was never added, harms nobody", () => {
  const ticker = new Ticker();
  const [a, b] = [new Item(1), new Item(1)];
  ticker.add(a);
  ticker.add(b);
  ticker.remove(a);
  ticker.remove(a);
  ticker.remove(new Item(1));
  ticker.tick(1);
  assert.deepEqual([a.fired, b.fired], [0, 1]);
});

Deno.test("whatever a call removes or adds, every other due item fires exactly once", () => {
  const plan = fc.array(
    fc.record({
      due: fc.boolean(),
      removes: fc.array(fc.nat(19), { maxLength: 4 }),
      adds: fc.nat(2),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(fc.property(plan, (steps) => {
    const ticker = new Ticker();
    const removed = new Set<Item>();
    const items: Item[] = [];
    for (const { due, removes, adds } of steps) {
      items.push(
        new Item(due ? 10 : 1000, () => {
          for (const index of removes) {
            const other = items[index % items.length];
            removed.add(other);
            ticker.remove(other);
          }
          for (let i = 0; i < adds; i++) ticker.add(new Item(1000));
        }),
      );
    }
    for (const item of items) ticker.add(item);
    ticker.tick(10);
    items.forEach((item, i) => {
      if (!steps[i].due) assert.equal(item.fired, 0);
      else if (!removed.has(item)) assert.equal(item.fired, 1);
      else assert.ok(item.fired <= 1);
    });
    for (const item of removed) assert.equal(item.tickerSlot, -1);
  }));
});

Deno.test("every item knows its slot after any removals", () => {
  fc.assert(fc.property(fc.array(fc.nat(9)), (order) => {
    const ticker = new Ticker();
    const items = Array.from({ length: 10 }, () => new Item(5));
    for (const item of items) ticker.add(item);
    const gone = new Set(order.map((index) => items[index]));
    for (const index of order) ticker.remove(items[index]);
    ticker.tick(5);
    for (const item of items) assert.equal(item.fired, gone.has(item) ? 0 : 1);
  }));
});

Deno.test("bug: six hundred requests that ended in one tick took 60 ms", () => {
  const ticker = new Ticker();
  const items = Array.from({ length: 2 * ENDS + 1 }, () => new Item(10));
  for (const item of items) ticker.add(item);
  const fired = () => items.filter((item) => item.fired === 1).length;
  assert.deepEqual([ticker.tick(10), fired()], [true, ENDS]);
  assert.deepEqual([ticker.tick(11), fired()], [true, 2 * ENDS]);
  assert.deepEqual([ticker.tick(12), fired()], [false, 2 * ENDS + 1]);
});
