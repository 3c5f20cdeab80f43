import assert from "node:assert/strict";
import type { Resolved } from "../net/resolver.ts";
import { AddressBook } from "./address_book.ts";

interface Question {
  readonly name: string;
  answer(addresses: readonly string[], ttl?: number): Promise<void>;
  fail(): Promise<void>;
}

/** Lets what waits for a promise run. */
const settle = () => new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(resolve)));

/** A book whose resolver answers when the test says so. */
function setup() {
  const clock = { now: 0 };
  const asked: Question[] = [];
  const book = new AddressBook((name) => {
    const { promise, resolve, reject } = Promise.withResolvers<Resolved>();
    asked.push({
      name,
      answer: (addresses, ttl = 10_000) => {
        resolve({ addresses, ttl });
        return settle();
      },
      fail: () => {
        reject(new Error("no such name"));
        return settle();
      },
    });
    return promise;
  }, () => clock.now);
  /** What a lookup gave; null as long as it gave nothing. */
  const lookup = (name = "b.example.com") => {
    const out: { addresses: readonly string[] | null } = { addresses: null };
    book.lookup(name, (addresses) => {
      assert.equal(out.addresses, null, "one answer only");
      out.addresses = addresses;
    });
    return out;
  };
  return { clock, asked, book, lookup };
}

Deno.test("an address stands for itself and is not asked for", () => {
  const { asked, lookup } = setup();
  assert.deepEqual(lookup("10.0.0.1").addresses, ["10.0.0.1"]);
  assert.deepEqual(lookup("2001:db8::1").addresses, ["2001:db8::1"]);
  assert.equal(asked.length, 0);
});

Deno.test("a name is asked for once, however many wait for it", async () => {
  const { asked, lookup } = setup();
  const lookups = [lookup(), lookup(), lookup()];
  assert.deepEqual(lookups.map(({ addresses }) => addresses), [null, null, null]);
  assert.deepEqual(asked.map(({ name }) => name), ["b.example.com"]);
  await asked[0].answer(["10.0.0.1"]);
  assert.deepEqual(lookups.map(({ addresses }) => addresses), Array(3).fill(["10.0.0.1"]));
  assert.deepEqual(lookup().addresses, ["10.0.0.1"], "known: in the same call");
});

Deno.test("families alternate, and each lookup begins with the next address", async () => {
  const { asked, lookup } = setup();
  const first = lookup();
  await asked[0].answer(["10.0.0.1", "10.0.0.2", "10.0.0.3", "::1"]);
  assert.deepEqual(first.addresses, ["10.0.0.1", "::1", "10.0.0.2", "10.0.0.3"]);
  assert.deepEqual(lookup().addresses, ["::1", "10.0.0.2", "10.0.0.3", "10.0.0.1"]);
  assert.deepEqual(lookup().addresses, ["10.0.0.2", "10.0.0.3", "10.0.0.1", "::1"]);
  assert.deepEqual(lookup().addresses, ["10.0.0.3", "10.0.0.1", "::1", "10.0.0.2"]);
  assert.deepEqual(lookup().addresses, ["10.0.0.1", "::1", "10.0.0.2", "10.0.0.3"]);
});

Deno.test("an answer is used for its TTL, then serves until the next is there", async () => {
  const { clock, asked, lookup } = setup();
  lookup();
  await asked[0].answer(["10.0.0.1"], 10_000);
  clock.now = 9999;
  lookup();
  assert.equal(asked.length, 1);
  clock.now = 10_000;
  assert.deepEqual(lookup().addresses, ["10.0.0.1"]);
  assert.deepEqual(lookup().addresses, ["10.0.0.1"]);
  assert.equal(asked.length, 2);
  await asked[1].answer(["10.0.0.2"]);
  assert.deepEqual(lookup().addresses, ["10.0.0.2"]);
});

Deno.test("a TTL of nothing still lasts a second, and one of days five minutes", async () => {
  for (const [ttl, used] of [[0, 1000], [86_400_000, 300_000]]) {
    const { clock, asked, lookup } = setup();
    lookup();
    await asked[0].answer(["10.0.0.1"], ttl);
    clock.now = used - 1;
    lookup();
    assert.equal(asked.length, 1);
    clock.now = used;
    lookup();
    assert.equal(asked.length, 2);
  }
});

Deno.test("a name that does not resolve has no addresses, and is asked for again after a second", async () => {
  const { clock, asked, lookup } = setup();
  const first = lookup();
  await asked[0].fail();
  assert.deepEqual([first.addresses, lookup().addresses], [[], []]);
  assert.equal(asked.length, 1);
  clock.now = 1000;
  const later = lookup();
  assert.equal(later.addresses, null);
  await asked[1].answer(["10.0.0.1"]);
  assert.deepEqual(later.addresses, ["10.0.0.1"]);
});

Deno.test("a resolver that fails or has nothing takes no known addresses away", async () => {
  const { clock, asked, lookup } = setup();
  lookup();
  await asked[0].answer(["10.0.0.1"]);
  clock.now = 10_000;
  lookup();
  await asked[1].fail();
  assert.deepEqual(lookup().addresses, ["10.0.0.1"]);
  assert.equal(asked.length, 2, "not asked again for a second");
  clock.now = 11_000;
  lookup();
  await asked[2].answer([]);
  assert.deepEqual(lookup().addresses, ["10.0.0.1"]);
});

Deno.test("names have nothing to do with one another", async () => {
  const { asked, lookup } = setup();
  const [a, b] = [lookup("a.example.com"), lookup("b.example.com")];
  await asked[1].answer(["10.0.0.2"]);
  assert.deepEqual([a.addresses, b.addresses], [null, ["10.0.0.2"]]);
});

Deno.test("names that no endpoint has are forgotten, but who waits for them gets an answer", async () => {
  const { asked, book, lookup } = setup();
  lookup("kept");
  await asked[0].answer(["10.0.0.1"]);
  const waiting = lookup("gone");
  book.keep(new Set(["kept"]));
  await asked[1].answer(["10.0.0.2"]);
  assert.deepEqual(waiting.addresses, ["10.0.0.2"]);
  assert.deepEqual(lookup("kept").addresses, ["10.0.0.1"]);
  assert.equal(lookup("gone").addresses, null);
  assert.equal(asked.length, 3);
});
