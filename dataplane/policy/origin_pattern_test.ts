import assert from "node:assert/strict";
import fc from "fast-check";
import { OriginPattern } from "./origin_pattern.ts";

/** The same by an expression, which backtracks. */
function reference(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&"));
  return new RegExp(`^${parts.join("[a-z0-9.:-]+")}$`);
}

Deno.test("property: a pattern of origins matches what its expression matches", () => {
  const text = fc.stringMatching(/^[ab./]{0,8}$/);
  const pattern = fc.array(fc.stringMatching(/^[ab./]{0,3}$/), { minLength: 2, maxLength: 5 })
    .map((parts) => parts.join("*"));
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      const expected = reference(pattern).test(text);
      assert.equal(new OriginPattern(pattern).matches(text), expected, `${pattern} ${text}`);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("a star of a pattern of origins stands for labels and ports, and for no path", () => {
  const pattern = new OriginPattern("https://*.example.com");
  assert.ok(pattern.matches("https://a.b.example.com"));
  assert.ok(!pattern.matches("https://.example.com"));
  assert.ok(!pattern.matches("https://evil.test/a.example.com"));
  assert.ok(!pattern.matches("http://a.example.com"));
});
