import assert from "node:assert/strict";
import fc from "fast-check";
import {
  candidates,
  chiSquare,
  chiSquareBound,
  seeded,
  type TestCandidate,
} from "../../tests/support/candidates.ts";
import type { Balancer } from "./balancer.ts";
import { EndpointLoad } from "./endpoint_load.ts";
import { hash32, mix32 } from "./hash.ts";
import { LeastConnections } from "./least_connections.ts";
import { Maglev } from "./maglev.ts";
import { Random } from "./random.ts";
import { RingHash } from "./ring_hash.ts";
import { RoundRobin } from "./round_robin.ts";
import { byActive, byCost, TwoChoices } from "./two_choices.ts";

type Make = (random: () => number) => Balancer<TestCandidate>;

const ALL: Readonly<Record<string, Make>> = {
  "round robin": () => new RoundRobin(),
  "least connections": () => new LeastConnections(),
  random: (random) => new Random(random),
  P2C: (random) => new TwoChoices(byActive, random),
  EWMA: (random) => new TwoChoices(byCost, random),
  "ring hash": () => new RingHash(),
  Maglev: () => new Maglev(),
};
const HASHING = { "ring hash": ALL["ring hash"], Maglev: ALL.Maglev };

const KEYS = Array.from({ length: 50_000 }, (_, i) => hash32(`192.0.${i >> 8}.${i & 255}`));

/** Whose each key is. */
function owners(balancer: Balancer<TestCandidate>, keys = KEYS): string[] {
  return keys.map((key) => balancer.pick(null, key, 0)!.label);
}

function counts(labels: readonly string[], all: readonly TestCandidate[]): number[] {
  const seen = new Map<string, number>();
  for (const label of labels) seen.set(label, (seen.get(label) ?? 0) + 1);
  return all.map(({ label }) => seen.get(label) ?? 0);
}

for (const [name, make] of Object.entries(ALL)) {
  Deno.test(`${name}: one that takes another's place under its name is picked instead`, () => {
    const balancer = make(seeded(1));
    balancer.update(candidates([1, 2, 3]));
    const later = candidates([1, 2, 3]);
    balancer.update(later);
    for (const key of KEYS.slice(0, 50)) assert.ok(later.includes(balancer.pick(null, key, 0)!));
  });

  Deno.test(`${name}: picks candidates of some weight alone, another than the excluded where there is one`, () => {
    const weights = fc.array(fc.nat(3), { maxLength: 6 });
    fc.assert(
      fc.property(weights, fc.nat(), fc.nat(), fc.array(fc.nat(3)), (list, seed, key, busy) => {
        const all = candidates(list);
        busy.forEach((times, i) => {
          for (let n = 0; n < times; n++) all[i]?.load.begin();
        });
        const balancer = make(seeded(seed));
        balancer.update(all);
        const eligible = all.filter(({ weight }) => weight > 0);
        const first = balancer.pick(null, mix32(key), 0);
        if (eligible.length === 0) {
          assert.equal(first, null);
          return;
        }
        assert.ok(eligible.includes(first!));
        const second = balancer.pick(first, mix32(key), 0);
        assert.ok(eligible.includes(second!));
        assert.equal(second === first, eligible.length === 1);
        balancer.update([]);
        assert.equal(balancer.pick(null, mix32(key), 0), null);
      }),
      { numRuns: name === "Maglev" ? 20 : 100 },
    );
  });
}

Deno.test("random: shares follow the weights", () => {
  const weights = [1, 2, 3, 10];
  const all = candidates(weights);
  for (const seed of [1, 2, 3]) {
    const balancer = new Random<TestCandidate>(seeded(seed));
    balancer.update(all);
    const labels = KEYS.map(() => balancer.pick(null)!.label);
    assert.ok(chiSquare(counts(labels, all), weights) < chiSquareBound(weights.length - 1));
  }
});

Deno.test("P2C: without load every candidate of the same weight gets the same share", () => {
  const weights = Array(8).fill(1);
  const all = candidates(weights);
  for (const seed of [1, 2, 3]) {
    const balancer = new TwoChoices<TestCandidate>(byActive, seeded(seed));
    balancer.update(all);
    const labels = KEYS.map(() => balancer.pick(null, 0, 0)!.label);
    assert.ok(chiSquare(counts(labels, all), weights) < chiSquareBound(7));
  }
});

Deno.test("least connections: the emptiest for its weight, equal ones in turn", () => {
  const all = candidates([1, 1, 2]);
  const balancer = new LeastConnections<TestCandidate>();
  balancer.update(all);
  const order: number[] = [];
  for (let i = 0; i < 8; i++) {
    const picked = balancer.pick(null)!;
    picked.load.begin();
    order.push(all.indexOf(picked));
  }
  assert.deepEqual(all.map(({ load }) => load.active), [2, 2, 4]);
  all[1].load.leave();
  assert.equal(balancer.pick(null), all[1]);
});

for (const [name, make] of Object.entries(HASHING)) {
  Deno.test(`${name}: shares follow the weights`, () => {
    const weights = [1, 1, 2, 4];
    const all = candidates(weights);
    const balancer = make(() => 0);
    balancer.update(all);
    const shares = counts(owners(balancer), all).map((count) => count / KEYS.length);
    shares.forEach((share, i) => {
      const expected = weights[i] / 8;
      assert.ok(Math.abs(share - expected) < 0.15 * expected, `${share} for ${expected}`);
    });
  });

  Deno.test(`${name}: when one of N leaves, at most 2/N of the keys move, and all of its own`, () => {
    for (const size of [2, 3, 10, 50]) {
      const all = candidates(Array(size).fill(1));
      const whole = make(() => 0);
      const rest = make(() => 0);
      whole.update(all);
      const gone = all[size >> 1];
      rest.update(all.filter((candidate) => candidate !== gone));
      const before = owners(whole);
      const after = owners(rest);
      const moved = before.filter((label, i) => label !== after[i]).length;
      assert.ok(moved <= 2 / size * KEYS.length, `${moved} of ${KEYS.length} with ${size}`);
      assert.ok(!after.includes(gone.label));
      whole.update(all.filter((candidate) => candidate !== gone));
      whole.update(all);
      assert.deepEqual(owners(whole), before, "and back when it returns");
    }
  });

  Deno.test(`${name}: workers and processes agree, whatever the order of the endpoints`, async () => {
    const all = candidates([1, 2, 1, 3, 1]);
    const balancer = make(() => 0);
    balancer.update([...all].reverse());
    const keys = KEYS.slice(0, 500);
    const here = owners(balancer, keys);
    const file = name === "Maglev" ? "maglev.ts" : "ring_hash.ts";
    const type = name === "Maglev" ? "Maglev" : "RingHash";
    const program = `
      import { ${type} } from "${import.meta.resolve(`./${file}`)}";
      import { candidates } from "${import.meta.resolve("../../tests/support/candidates.ts")}";
      const balancer = new ${type}();
      balancer.update(candidates([1, 2, 1, 3, 1]));
      const keys = JSON.parse(Deno.args[0]);
      console.log(JSON.stringify(keys.map((key) => balancer.pick(null, key, 0).label)));
    `;
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(path, program);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", path, JSON.stringify(keys)],
    }).output();
    await Deno.remove(path);
    assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), here);
  });
}

Deno.test("hashes are those of MurmurHash3 where texts are bytes of both halves, and spread", () => {
  assert.equal(hash32(""), 0);
  assert.equal(hash32("", 1), 0x514e28b7);
  assert.equal(mix32(0), 0);
  const buckets = Array(64).fill(0);
  for (const key of KEYS) buckets[key % 64]++;
  assert.ok(chiSquare(buckets, Array(64).fill(1)) < chiSquareBound(63));
  assert.notEqual(hash32("a"), hash32("a\0"));
});

function finish(load: EndpointLoad, now: number, milliseconds: number, failed: boolean): void {
  load.leave();
  load.observe(now, milliseconds, failed);
}

Deno.test("load: a slow answer counts at once, quick ones as time passes, a failure is never quick", () => {
  const load = new EndpointLoad();
  assert.equal(load.cost(0), 0);
  load.begin();
  assert.ok(load.cost(0) > 0, "nothing is known but that it has work");
  finish(load, 0, 10, false);
  assert.equal(load.cost(0), 10);
  load.begin();
  assert.equal(load.cost(0), 20);
  finish(load, 0, 500, false);
  assert.equal(load.cost(0), 500);
  load.begin();
  finish(load, 1, 10, false);
  assert.ok(load.cost(1) > 490);
  load.begin();
  finish(load, 60_000, 10, false);
  assert.ok(load.cost(60_000) < 15);
  load.begin();
  finish(load, 60_000, 1, true);
  assert.equal(load.cost(60_000), 1_000);
});
