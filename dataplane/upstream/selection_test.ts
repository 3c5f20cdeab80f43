import assert from "node:assert/strict";
import fc from "fast-check";
import { EndpointTable, endpointTableSize, Health, NO_SLOT, TIME, WORD } from "./endpoint_table.ts";
import { select, type Selectable, type SelectionSettings } from "./selection.ts";

interface Endpoint extends Selectable {
  readonly name: string;
}

interface Parts {
  readonly health?: Health;
  readonly ejected?: boolean;
  readonly open?: boolean;
  readonly zone?: string;
  readonly priority?: number;
  readonly ready?: boolean;
  readonly weight?: number;
}

const NOW = 1_000;

function choose(parts: Record<string, Parts>, changes: Partial<SelectionSettings> = {}) {
  const table = new EndpointTable(new SharedArrayBuffer(endpointTableSize(32)));
  const open = new Set<number>();
  const endpoints = Object.entries(parts).map(([name, part], slot): Endpoint => {
    table.set(slot, WORD.health, part.health ?? Health.Unknown);
    if (part.ejected === true) table.setTime(slot, TIME.ejectedUntil, NOW + 500 + slot);
    if (part.open === true) open.add(slot);
    const { zone = "", priority = 0, ready = false, weight = 1 } = part;
    return { name, slot, zone, priority, ready, configuredWeight: weight };
  });
  const found = select(endpoints, table, {
    checked: true,
    ejects: true,
    opensAt: (slot) => open.has(slot) ? NOW + 300 : 0,
    panicPercent: 0,
    zone: "",
    ...changes,
  }, NOW);
  const tiers = found.tiers.map(({ endpoints, share }) =>
    `${endpoints.map(({ name }) => name).join("")}:${share.toFixed(2)}`
  );
  return { tiers: tiers.join(" "), reason: found.reason, validUntil: found.validUntil };
}

const good = { health: Health.Good };
const bad = { health: Health.Bad };

Deno.test("who fails its check is not used; when all do, nobody is", () => {
  assert.equal(choose({ a: good, b: bad, c: good }).tiers, "ac:1.00");
  assert.deepEqual(choose({ a: bad, b: bad }), {
    tiers: "",
    reason: "unhealthy",
    validUntil: Infinity,
  });
  assert.equal(choose({ a: bad, b: bad }, { panicPercent: 50 }).tiers, "ab:1.00");
  assert.equal(choose({ a: good, b: bad }, { panicPercent: 50 }).tiers, "a:1.00");
  assert.equal(choose({ a: good, b: bad, c: bad }, { panicPercent: 50 }).tiers, "abc:1.00");
});

Deno.test("who was never asked is used when somebody else says it is ready, or nobody is known to be well", () => {
  assert.equal(choose({ a: {}, b: {} }).tiers, "ab:1.00");
  assert.equal(choose({ a: {}, b: good }).tiers, "b:1.00");
  assert.equal(choose({ a: { ready: true }, b: good }).tiers, "ab:1.00");
  assert.equal(choose({ a: {}, b: bad }).tiers, "a:1.00");
});

Deno.test("ejections alone leave nobody out; breakers and checks do", () => {
  const out = { ...good, ejected: true };
  assert.equal(choose({ a: out, b: good }).tiers, "b:1.00");
  assert.equal(choose({ a: out, b: out }).tiers, "ab:1.00");
  assert.equal(choose({ a: out, b: bad }).tiers, "a:1.00");
  const { tiers, reason, validUntil } = choose({ a: { ...good, open: true }, b: bad });
  assert.deepEqual([tiers, reason, validUntil], ["", "breaker_open", NOW + 300]);
  assert.equal(choose({ a: { ...out, open: true }, b: out }).tiers, "b:1.00");
  assert.equal(choose({ a: good, b: { ...good, ejected: true } }).validUntil, NOW + 501);
});

Deno.test("later priorities take what those before them cannot", () => {
  const second = { ...good, priority: 1 };
  assert.equal(choose({ a: good, b: good, c: second }).tiers, "ab:1.00");
  // Half of the first, times 1.4.
  assert.equal(choose({ a: good, b: bad, c: second }).tiers, "a:0.70 c:0.30");
  assert.equal(choose({ a: bad, b: bad, c: second }).tiers, "c:1.00");
  const broken = { ...bad, priority: 1 };
  assert.equal(
    choose({ a: good, b: bad, c: bad, d: second, e: broken, f: broken }).tiers,
    "a:0.50 d:0.50",
  );
});

Deno.test("endpoints of the own zone come first", () => {
  const parts = { a: { ...good, zone: "x" }, b: { ...good, zone: "y" }, c: { ...good, zone: "y" } };
  assert.equal(choose(parts, { zone: "y" }).tiers, "bc:1.00");
  assert.equal(choose(parts, { zone: "z" }).tiers, "abc:1.00");
  assert.equal(
    choose({ ...parts, b: { ...bad, zone: "y" } }, { zone: "y" }).tiers,
    "c:0.70 a:0.30",
  );
});

Deno.test("weight 0 is no endpoint, and one without a slot is always well", () => {
  assert.equal(choose({ a: { ...good, weight: 0 } }).reason, "no_endpoints");
  const table = new EndpointTable(new SharedArrayBuffer(endpointTableSize(1)));
  const endpoint = { slot: NO_SLOT, configuredWeight: 1, zone: "", priority: 0, ready: false };
  const settings = { checked: true, ejects: true, opensAt: () => 9e9, panicPercent: 0, zone: "" };
  assert.equal(select([endpoint], table, settings, 1).tiers.length, 1);
});

Deno.test("shares are 1 together, whatever fails", () => {
  const part = fc.record({
    health: fc.constantFrom(Health.Unknown, Health.Good, Health.Bad),
    ejected: fc.boolean(),
    open: fc.boolean(),
    zone: fc.constantFrom("x", "y"),
    priority: fc.nat(2),
    ready: fc.boolean(),
    weight: fc.nat(1),
  });
  fc.assert(fc.property(
    fc.array(part, { maxLength: 8 }),
    fc.constantFrom(0, 50),
    (parts, panicPercent) => {
      const { tiers } = choose(Object.fromEntries(parts.map((p, i) => [`e${i}`, p])), {
        panicPercent,
        zone: "x",
      });
      if (tiers === "") return;
      const total = tiers.split(" ").reduce((sum, tier) => sum + Number(tier.split(":")[1]), 0);
      assert.ok(Math.abs(total - 1) < 0.05, tiers);
    },
  ));
});
