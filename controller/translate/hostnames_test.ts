import assert from "node:assert/strict";
import fc from "fast-check";
import { HostMap } from "../../dataplane/router/host.ts";
import { hostnamesMeet } from "./hostnames.ts";

const CASES: readonly [string, string, boolean][] = [
  ["a.b", "a.b", true],
  ["a.b", "A.B", true],
  ["*.b", "a.b", true],
  ["*.b", "b", false],
  ["*.b", "*.a.b", true],
  ["*.b", "*.c", false],
  ["a.*", "a.b", true],
  ["a.*", "a", false],
  ["a.*", "*.b", true],
  ["a.*", "a.b.*", true],
  ["a.*", "b.*", false],
];

for (const [a, b, expected] of CASES) {
  Deno.test(`${a} and ${b} ${expected ? "have a name in common" : "have none"}`, () => {
    assert.equal(hostnamesMeet([a], [b]), expected);
    assert.equal(hostnamesMeet([b], [a]), expected);
  });
}

Deno.test("what two hostnames serve at once, they meet on", () => {
  const label = fc.constantFrom("a", "b", "c");
  const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
  const pattern = name.chain((text) => fc.constantFrom(text, `*.${text}`, `${text}.*`));
  fc.assert(fc.property(pattern, pattern, name, (a, b, asked) => {
    const serves = (hostname: string) => {
      const map = new HostMap<true>();
      map.set(hostname, true);
      return map.lookup(asked).length > 0;
    };
    if (serves(a) && serves(b)) assert.ok(hostnamesMeet([a], [b]));
  }));
});
