import assert from "node:assert/strict";
import fc from "fast-check";
import type { AddressRequest } from "../translate/address_book.ts";
import { AddressAllocator } from "./address_allocator.ts";

function wish(key: string, changes: Partial<AddressRequest> = {}): AddressRequest {
  return { key, created: "", named: [], any: true, pools: ["192.0.2.0/29"], ...changes };
}

function allocator(held: Record<string, string[]> = {}) {
  const book = new AddressAllocator((key) => held[key] ?? []);
  return {
    book,
    ask: (...requests: AddressRequest[]) =>
      book.request(new Map(requests.map((request) => [request.key, request]))),
    leave: (key: string) => book.request(new Map([[key, null]])),
    of: (key: string) => book.answer(key)?.addresses,
    why: (key: string) => {
      const { reason, message } = book.answer(key)!;
      return `${reason} ${message}`.trim();
    },
  };
}

Deno.test("each Gateway gets an address of its own, and keeps it when others go", () => {
  const { ask, leave, of } = allocator();
  assert.deepEqual(ask(wish("a"), wish("b"), wish("c")), ["a", "b", "c"]);
  assert.deepEqual([of("a"), of("b"), of("c")], [["192.0.2.1"], ["192.0.2.2"], ["192.0.2.3"]]);
  assert.deepEqual(leave("a"), ["a"]);
  assert.deepEqual([of("a"), of("b"), of("c")], [undefined, ["192.0.2.2"], ["192.0.2.3"]]);
  ask(wish("d"));
  assert.deepEqual(of("d"), ["192.0.2.1"]);
});

Deno.test("what a Gateway had before the controller started it has afterwards, older ones come first else", () => {
  const { ask, of } = allocator({ late: ["192.0.2.1"], gone: ["198.51.100.1"] });
  ask(
    wish("early", { created: "1" }),
    wish("late", { created: "9" }),
    wish("gone", { created: "2" }),
  );
  assert.deepEqual([of("early"), of("gone"), of("late")], [
    ["192.0.2.2"],
    ["192.0.2.3"],
    ["192.0.2.1"],
  ]);
});

Deno.test("an address that is named must be of a pool and nobody else's", () => {
  const { ask, of, why } = allocator();
  ask(wish("any"));
  ask(
    wish("outside", { any: false, named: ["198.51.100.7", "192.0.2.5"] }),
    wish("taken", { any: false, named: ["192.0.2.1"] }),
  );
  assert.deepEqual(of("outside"), ["192.0.2.5"]);
  assert.equal(why("outside"), "AddressNotUsable 198.51.100.7 is in no pool of the GatewayClass");
  assert.deepEqual(of("taken"), []);
  assert.equal(why("taken"), "AddressNotUsable 192.0.2.1 is that of any");
});

Deno.test("Gateways that name the same address have it together, and nobody is given it", () => {
  const { ask, of } = allocator();
  ask(
    wish("x", { any: false, named: ["192.0.2.1"] }),
    wish("y", { any: false, named: ["192.0.2.1"] }),
    wish("other"),
  );
  assert.deepEqual([of("x"), of("y"), of("other")], [["192.0.2.1"], ["192.0.2.1"], ["192.0.2.2"]]);
});

Deno.test("of pools of both families a Gateway gets one address each", () => {
  const { ask, of } = allocator();
  const pools = ["192.0.2.4/31", "2001:db8::/64"];
  ask(wish("a", { pools }), wish("b", { pools }), wish("c", { pools }));
  assert.deepEqual(of("a"), ["192.0.2.4", "2001:db8::1"]);
  assert.deepEqual(of("b"), ["192.0.2.5", "2001:db8::2"]);
  assert.deepEqual(of("c"), ["2001:db8::3"]);
});

Deno.test("an empty pool and none say so, and the next free address goes to who waits", () => {
  const { ask, leave, of, why } = allocator();
  const pools = ["192.0.2.9"];
  ask(wish("a", { pools }), wish("b", { pools }), wish("none", { pools: [] }));
  assert.equal(why("b"), "AddressNotAssigned no address of the pools is free");
  assert.match(why("none"), /^AddressNotAssigned the GatewayClass names no address pools/);
  assert.deepEqual(leave("a").sort(), ["a", "b"]);
  assert.deepEqual(of("b"), ["192.0.2.9"]);
});

Deno.test("an address that its pool no longer holds is given up", () => {
  const { ask, of } = allocator();
  ask(wish("a"));
  ask(wish("a", { pools: ["198.51.100.0/24"] }));
  assert.deepEqual(of("a"), ["198.51.100.1"]);
});

Deno.test("network and broadcast addresses are given to nobody", () => {
  const { ask, of } = allocator();
  const pools = ["198.51.100.254/31", "203.0.113.0/31"];
  ask(wish("a", { pools }), wish("b", { pools }), wish("c", { pools }));
  assert.deepEqual([of("a"), of("b"), of("c")], [["198.51.100.254"], ["203.0.113.1"], []]);
});

Deno.test("after any requests nobody shares but by name, and what is kept was had before", () => {
  const key = fc.constantFrom("a", "b", "c", "d");
  const address = fc.constantFrom("192.0.2.1", "192.0.2.2", "192.0.2.6", "203.0.113.1");
  const step = fc.record({
    key,
    gone: fc.boolean(),
    any: fc.boolean(),
    named: fc.uniqueArray(address, { maxLength: 2 }),
    pools: fc.constantFrom(["192.0.2.0/30"], ["192.0.2.0/29"]),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const { book } = allocator();
    const requests = new Map<string, AddressRequest>();
    for (const { key, gone, any, named, pools } of steps) {
      const before = new Map([...requests.keys()].map((k) => [k, book.answer(k)!.addresses]));
      if (gone) requests.delete(key);
      else requests.set(key, { key, created: "", any, named, pools });
      const changed = new Set(book.request(new Map([[key, requests.get(key) ?? null]])));
      for (const [k, addresses] of before) {
        if (!changed.has(k)) assert.deepEqual(book.answer(k)!.addresses, addresses);
      }
      const users = new Map<string, string[]>();
      for (const k of requests.keys()) {
        for (const a of book.answer(k)!.addresses) users.set(a, [...users.get(a) ?? [], k]);
      }
      for (const [a, keys] of users) {
        if (keys.length < 2) continue;
        for (const k of keys) assert.ok(requests.get(k)!.named.includes(a), `${k} shares ${a}`);
      }
    }
  }));
});
