import assert from "node:assert/strict";
import fc from "fast-check";
import { caseless } from "./caseless.ts";

const PATTERNS: readonly [string, string][] = [
  ["/api", "/[aA][pP][iI]"],
  ["a{1,2}[bc-eX-Z_]", "[aA]{1,2}[bBc-eC-EX-Zx-z_]"],
  ["\\d\\w\\x41\\u0041\\/", "\\d\\w\\x41\\u0041\\/"],
  ["(?<name>a)\\k<name>", "(?<name>[aA])\\k<name>"],
  ["(?:a|B)", "(?:[aA]|[bB])"],
  ["[\\w-]a", "[\\w-][aA]"],
  ["(?i:ab)", "(?i:[aA][bB])"],
  ["/api(/|$)(.*)", "/[aA][pP][iI](/|$)(.*)"],
];

for (const [pattern, expected] of PATTERNS) {
  Deno.test(`caseless: ${pattern}`, () => assert.equal(caseless(pattern), expected));
}

Deno.test("a caseless pattern matches what the flag for it matches", () => {
  const atom = fc.oneof(
    ...[fc.stringMatching(/^[A-Za-z0-9/_-]$/), fc.constantFrom("\\d", "\\w", "\\.", "\\-", ".")],
    fc.constantFrom(
      "[a-f]",
      "[A-F0-9]",
      "[^b]",
      "[x/]",
      "[0-z]",
      "[\\]a-c]",
      "[a-\\x66]",
      "[X-\\]]",
      "(?:ab|C)",
      "(d)",
    ),
  );
  const quantified = fc.tuple(atom, fc.constantFrom("", "*", "+", "?", "{1,2}"));
  const pattern = fc.array(quantified, { maxLength: 5 })
    .map((parts) => parts.map((part) => part.join("")).join(""));
  const text = fc.stringMatching(/^[a-gA-GxX/._0-3-]{0,6}$/);
  fc.assert(
    fc.property(pattern, text, (source, input) => {
      const wanted = new RegExp(`^(?:${source})$`, "i").test(input);
      assert.equal(new RegExp(`^(?:${caseless(source)})$`).test(input), wanted, source);
    }),
    { numRuns: 2_000 },
  );
});
