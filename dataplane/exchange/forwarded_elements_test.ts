import assert from "node:assert/strict";
import fc from "fast-check";
import { forwardedEnd } from "./forwarded_elements.ts";

const forwardedElements = (field: string) => {
  const { elements, text } = forwardedEnd(field, 64);
  assert.ok(elements.length === 0 || field.trim().endsWith(text));
  return elements.length === 0 ? null : [...elements];
};
const element = (node: string, proto = "", host = "") => ({ for: node, proto, host });

/** The examples of RFC 7239 section 4 and 7.1, and what else peers write. */
const FIELDS: readonly [string, ReturnType<typeof element>[] | null][] = [
  ['for="_gazonk"', [element("_gazonk")]],
  ['For="[2001:db8:cafe::17]:4711"', [element("[2001:db8:cafe::17]:4711")]],
  ["for=192.0.2.60;proto=http;by=203.0.113.43", [element("192.0.2.60", "http")]],
  ["for=192.0.2.43, for=198.51.100.17", [element("192.0.2.43"), element("198.51.100.17")]],
  ['proto=https ; host="a.test:8443"', [element("", "https", "a.test:8443")]],
  ['for="a\\"b"', [element('a"b')]],
  ["for=192.0.2.43:80", [element("192.0.2.43:80")]],
  // What a client puts in front hides nothing of what proxies have added.
  ["x, for=203.0.113.9;proto=https", [element("203.0.113.9", "https")]],
  ['for=", for=203.0.113.9', [element("203.0.113.9")]],
  ['for=6.6.6.6;x=", for="[2001:db8::1]"', [element("[2001:db8::1]")]],
  ['for="192.0.2.1, for=10.0.0.1"', null],
  ["secret=x", [element("")]],
  ["", null],
  ["for", null],
  ["for=", null],
  ["for=a,", null],
  ["for=a;", null],
  ['for="a', null],
  ["for=a b", null],
];

for (const [field, expected] of FIELDS) {
  Deno.test(`elements of Forwarded: ${field}`, () => {
    assert.deepEqual(forwardedElements(field), expected);
  });
}

Deno.test("whatever is quoted comes back as it was", () => {
  const text = fc.stringMatching(/^[ -+--~]{1,30}$/);
  const quoted = (value: string) => `"${value.replace(/[\\"]/g, "\\$&")}"`;
  fc.assert(fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }), (pairs) => {
    const field = pairs.map(([node, host]) => `for=${quoted(node)};host=${quoted(host)}`).join(
      ", ",
    );
    assert.deepEqual(
      forwardedElements(field),
      pairs.map(([node, host]) => element(node, "", host)),
    );
  }));
});
