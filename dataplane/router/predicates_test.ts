import assert from "node:assert/strict";
import fc from "fast-check";
import { entry, equals, request } from "../../tests/support/route_builders.ts";
import { CidrSet } from "../../common/cidr.ts";
import { failedCondition, pathCovers, queryValue } from "./predicates.ts";

Deno.test("conditions are checked one by one, and the first that fails is named", () => {
  const all = entry({
    kind: "prefix",
    path: "/",
    method: "GET",
    headers: [equals("x", "1")],
    query: [{ name: "q", holds: (value) => /^a+$/.test(value), invert: false }],
  });
  assert.equal(failedCondition(all, request("/", "GET", "q=aa", { x: "1" })), null);
  assert.equal(failedCondition(all, request("/", "get", "q=aa", { x: "1" })), "method");
  assert.equal(failedCondition(all, request("/", "GET", "q=aa", { x: "2" })), "header");
  assert.equal(failedCondition(all, request("/", "GET", "q=aa")), "header");
  assert.equal(failedCondition(all, request("/", "GET", "q=b", { x: "1" })), "query");
  assert.equal(failedCondition(all, request("/", "GET", "", { x: "1" })), "query");
  assert.equal(failedCondition(entry({ kind: "regex", path: "/a" }), request("/ab")), "path");
});

Deno.test("a header value with bytes above 0x7f fails an exact and a class condition", () => {
  const only = entry({
    kind: "prefix",
    path: "/",
    headers: [{ name: "x", holds: (value) => /^[a-z]*$/.test(value), invert: false }],
  });
  assert.equal(failedCondition(only, request("/", "GET", "", { x: "a\xff" })), "header");
});

Deno.test("an inverted condition holds where the value differs or is absent", () => {
  const differs = { ...equals("x", "1"), invert: true };
  const absent = { name: "x", holds: () => true, invert: true };
  const results = [{}, { x: "" }, { x: "1" }, { x: "2" }].map((headers) =>
    [differs, absent].map((condition) =>
      failedCondition(
        entry({ kind: "prefix", path: "/", headers: [condition] }),
        request("/", "GET", "", headers as Record<string, string>),
      ) === null
    )
  );
  assert.deepEqual(results, [[true, true], [true, false], [false, false], [true, false]]);
});

Deno.test("an entry for some clients serves those alone", () => {
  const some = { ...entry({ kind: "prefix", path: "/" }), clients: new CidrSet(["192.0.2.0/28"]) };
  assert.equal(failedCondition(some, request("/")), null);
  const other = { ...request("/"), clientAddress: () => "192.0.2.16" };
  assert.equal(failedCondition(some, other), "client");
});

Deno.test("prefix paths cover whole segments", () => {
  const prefix = entry({ kind: "prefix", path: "/a/" });
  assert.deepEqual(["/a", "/a/", "/a/b", "/ab", "/"].map((path) => pathCovers(prefix, path)), [
    true,
    true,
    true,
    false,
    false,
  ]);
});

const QUERIES: readonly [string, string, string | null][] = [
  ["a=1&b=2", "b", "2"],
  ["a=1&a=2", "a", "1"],
  ["a", "a", ""],
  ["a=", "a", ""],
  ["a=b=c", "a", "b=c"],
  ["", "a", null],
  ["A=1", "a", null],
  ["%61=%62+c", "a", "b c"],
  ["a=%zz", "a", "%zz"],
  ["%zz=1", "%zz", "1"],
  ["&&a=1", "a", "1"],
];

for (const [query, name, value] of QUERIES) {
  Deno.test(`query ${JSON.stringify(query)} has ${name} = ${JSON.stringify(value)}`, () => {
    assert.equal(queryValue(query, name), value);
  });
}

Deno.test("any encoded parameter is found again, and arbitrary queries never throw", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), fc.string(), (name, value, noise) => {
      const query = `zzz=0&${encodeURIComponent(name)}=${encodeURIComponent(value)}&x`;
      fc.pre(name !== "zzz" && name !== "x");
      assert.equal(queryValue(query, name), value);
      queryValue(noise, name);
    }),
  );
});

Deno.test("property: a parameter is decoded where decodeURIComponent can, and stays as it is elsewhere", () => {
  const byte = fc.nat(255).map((byte) => `%${byte.toString(16).padStart(2, "0")}`);
  const edge = fc.constantFrom(
    ...["%ED%A0%80", "%ED%9F%BF", "%E0%80%80", "%E0%A0%80", "%F0%8F%BF%BF", "%F0%90%80%80"],
    ...[
      "%F4%8F%BF%BF",
      "%F4%90%80%80",
      "%C1%BF",
      "%C2%80",
      "%EF%BF%BF",
      "%2",
      "%",
      "%zz",
      "a",
      "+",
    ],
  );
  const text = fc.array(fc.oneof(byte, edge), { maxLength: 4 }).map((parts) => parts.join(""));
  const decoded = (text: string) => {
    try {
      return decodeURIComponent(text.replaceAll("+", " "));
    } catch {
      return text;
    }
  };
  fc.assert(
    fc.property(text, (text) => assert.equal(queryValue(`x=${text}`, "x"), decoded(text))),
    { numRuns: 20_000 },
  );
});

Deno.test("bug: thousands of parameters with bad escapes threw an exception each", () => {
  const original = globalThis.decodeURIComponent;
  let thrown = 0;
  globalThis.decodeURIComponent = (text) => {
    try {
      return original(text);
    } catch (error) {
      thrown++;
      throw error;
    }
  };
  try {
    assert.equal(queryValue("%=%FF&a=%C3%28&".repeat(1_000), "a"), "%C3%28");
  } finally {
    globalThis.decodeURIComponent = original;
  }
  assert.equal(thrown, 0);
});
