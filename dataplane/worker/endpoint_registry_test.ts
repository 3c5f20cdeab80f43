import assert from "node:assert/strict";
import { createLogger } from "../../common/log.ts";
import { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";
import { endpointAt } from "../../tests/support/route_builders.ts";
import { endpointTableSize, Health, NO_SLOT, TIME, WORD } from "../upstream/endpoint_table.ts";
import { EndpointRegistry } from "./endpoint_registry.ts";

function scene(slots = 16) {
  let now = 1_000;
  const shared = new SharedArrayBuffer(endpointTableSize(slots));
  const registry = new EndpointRegistry(shared, () => now, createLogger("test", "silent"));
  const put = (name: string, ...addresses: string[]) => {
    const message = Backend.fromPartial({ name, endpoints: addresses.map((a) => endpointAt(a)) });
    const body = Backend.encode(message).finish();
    return registry.apply([{ kind: Kind.KIND_BACKEND, name, body }])[0][1];
  };
  const remove = (name: string) => registry.apply([{ kind: Kind.KIND_BACKEND, name, body: null }]);
  return { registry, put, remove, table: registry.table, pass: (ms: number) => now += ms };
}

Deno.test("what is known of an endpoint, its age too, stays through a thousand changes", () => {
  const { put, table, pass } = scene(64);
  const slots = put("b", "10.0.0.1", "10.0.0.2");
  table.set(slots[1], WORD.health, Health.Bad);
  table.setTime(slots[2], TIME.ejectedUntil, 9e9);
  const since = table.time(slots[2], TIME.since);
  for (let i = 0; i < 1_000; i++) {
    pass(10);
    put(`other-${i % 5}`, `10.1.0.${i % 9}`);
    // Its own endpoints in another order, and one more.
    assert.deepEqual(
      put("b", "10.0.0.2", `10.0.1.${i % 3}`, "10.0.0.1").filter((_, j) => j !== 2),
      [
        slots[0],
        slots[2],
        slots[1],
      ],
    );
  }
  assert.equal(table.get(slots[1], WORD.health), Health.Bad);
  assert.equal(table.time(slots[2], TIME.ejectedUntil), 9e9);
  assert.equal(table.time(slots[2], TIME.since), since);
});

Deno.test("an endpoint that comes back is a new one", () => {
  const { put, table, pass } = scene(3);
  const slots = put("b", "10.0.0.1", "10.0.0.2");
  table.set(slots[2], WORD.health, Health.Bad);
  put("b", "10.0.0.1");
  pass(500);
  const again = put("b", "10.0.0.1", "10.0.0.2");
  assert.equal(table.get(again[2], WORD.health), Health.Unknown);
  assert.equal(table.time(again[2], TIME.since), 1_500);
});

Deno.test("beyond the table's slots endpoints are used without a state", () => {
  const { registry, put, remove } = scene(2);
  assert.deepEqual(put("b", "10.0.0.1", "10.0.0.2"), [0, 1, NO_SLOT]);
  assert.equal(registry.standing("b", "10.0.0.2:80"), null);
  assert.deepEqual(registry.counts(), { endpoints: 2, unhealthy: 0, ejected: 0, breakersOpen: 0 });
  remove("b");
  assert.deepEqual(put("c", "10.0.0.3"), [0, 1]);
});
