import assert from "node:assert/strict";
import fc from "fast-check";
import type { Candidate } from "./balancer.ts";
import { EndpointLoad } from "./endpoint_load.ts";
import { RoundRobin } from "./round_robin.ts";

interface Item extends Candidate {
  readonly name: number;
}

const items = (weights: readonly number[]): Item[] =>
  weights.map((weight, name) => ({ name, weight, label: `${name}`, load: new EndpointLoad() }));

function counts(balancer: RoundRobin<Item>, picks: number, of: readonly Item[]): number[] {
  const seen = new Map<Item, number>();
  for (let i = 0; i < picks; i++) {
    const picked = balancer.pick(null)!;
    seen.set(picked, (seen.get(picked) ?? 0) + 1);
  }
  return of.map((item) => seen.get(item) ?? 0);
}

const weights = fc.array(fc.nat(9), { minLength: 1, maxLength: 6 }).filter((list) =>
  list.some((weight) => weight > 0)
);

Deno.test("shares are exact over every cycle, wherever it begins", () => {
  fc.assert(fc.property(weights, fc.nat(100), fc.nat(50), (list, start, skipped) => {
    const all = items(list);
    const balancer = new RoundRobin<Item>(start);
    balancer.update(all);
    const total = list.reduce((sum, weight) => sum + weight, 0);
    // Equal weights rotate, so that their cycle is one pick of each.
    counts(balancer, skipped * total, all);
    assert.deepEqual(counts(balancer, total, all), list);
  }));
});

Deno.test("a heavy candidate does not get its share in one run", () => {
  const all = items([5, 1, 1]);
  const balancer = new RoundRobin<Item>();
  balancer.update(all);
  const order = Array.from({ length: 7 }, () => balancer.pick(null)!.name).join("");
  assert.ok(!order.includes("000"), order);
});

Deno.test("weight 0 is never picked, and without candidates there is nothing", () => {
  const balancer = new RoundRobin<Item>();
  assert.equal(balancer.pick(null), null);
  const all = items([0, 1, 0]);
  balancer.update(all);
  assert.deepEqual(counts(balancer, 5, all), [0, 5, 0]);
  balancer.update(items([0, 0]));
  assert.equal(balancer.pick(null), null);
});

Deno.test("the excluded candidate is not picked where there is another", () => {
  fc.assert(fc.property(weights, fc.nat(5), fc.nat(20), (list, index, before) => {
    const all = items(list);
    const balancer = new RoundRobin<Item>();
    balancer.update(all);
    counts(balancer, before, all);
    const excluded = all[index % all.length];
    const others = all.filter((item) => item !== excluded && item.weight > 0);
    const picked = balancer.pick(excluded);
    if (others.length > 0) assert.notEqual(picked, excluded);
    else assert.equal(picked, excluded);
  }));
});

Deno.test("an update keeps the position of who stays: nobody is picked twice in a row for it", () => {
  const all = items([1, 1, 1]);
  const balancer = new RoundRobin<Item>();
  balancer.update(all);
  const first = balancer.pick(null);
  balancer.update(all);
  assert.notEqual(balancer.pick(null), first);
  const heavy = items([2, 1]);
  balancer.update(heavy);
  const before = [balancer.pick(null), balancer.pick(null)];
  balancer.update(heavy);
  const whole = [...before, balancer.pick(null)];
  assert.equal(whole.filter((item) => item === heavy[0]).length, 2);
});

Deno.test("workers begin at different candidates", () => {
  const firsts = [0, 1, 2].map((start) => {
    const balancer = new RoundRobin<Item>(start);
    balancer.update(items([1, 1, 1]));
    return balancer.pick(null)!.name;
  });
  assert.deepEqual(firsts, [0, 1, 2]);
});
