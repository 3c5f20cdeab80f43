import assert from "node:assert/strict";
import { PathMatchType, Route, ValueMatchType } from "../../proto/gen/novaedge/v1/config.ts";
import { compileRoute } from "./compile.ts";
import { linear, PatternError } from "../../common/linear.ts";

const LINEAR = ["/a/[0-9]+", "(a+)+", "(a|aa)*b", "(?:x|y)?z", ".*", "a*?", "\\bfoo", "^/a$", ""];
const REFUSED = [
  "(a)\\1",
  "(?<n>a)\\k<n>",
  "(?=a)a",
  "(?!a)b",
  "(x{100}){100}",
  "[",
  "(",
  "a**",
  "\\",
];

Deno.test("patterns are anchored at both ends", () => {
  assert.equal(linear("a|b", "p").test("ab"), false);
  assert.equal(linear("a|b", "p").test("b"), true);
  assert.equal(linear("a", "p").test("a\n"), false);
});

for (const source of LINEAR) {
  Deno.test(`pattern ${JSON.stringify(source)} is accepted`, () => {
    assert.ok(linear(source, "place") instanceof RegExp);
  });
}

for (const source of REFUSED) {
  Deno.test(`pattern ${JSON.stringify(source)} is refused, with its place`, () => {
    assert.throws(() => linear(source, "rules[0].path"), (error: Error) => {
      assert.ok(error instanceof PatternError);
      assert.match(error.message, /^rules\[0\]\.path: /);
      return true;
    });
  });
}

Deno.test("bug: a pattern cannot close our group and so escape the anchors", () => {
  // ^(?:/public)|(.*)$ would match every path.
  for (const source of ["/public)|(.*", "a)|(?:b", "a)b(?:c"]) {
    assert.throws(() => linear(source, "p"), PatternError, source);
  }
});

function compile(route: unknown) {
  return compileRoute("ns/r", Route.fromPartial(route as never));
}

const MATCH = { path: { type: PathMatchType.PATH_MATCH_TYPE_PREFIX, value: "/" } };

Deno.test("a route becomes one entry per match, with lower-case header names", () => {
  const compiled = compile({
    namespace: "ns",
    name: "r",
    listeners: ["ns/gw/l"],
    rules: [{
      backendRefs: [{ backend: "ns/b", weight: 2 }, { backend: "ns/c", weight: 3 }],
      matches: [
        MATCH,
        {
          path: { type: PathMatchType.PATH_MATCH_TYPE_REGEX, value: "/x+" },
          method: "GET",
          headers: [{
            type: ValueMatchType.VALUE_MATCH_TYPE_REGEX,
            name: "X-Mine",
            value: "a|b",
          }],
          queryParams: [{ type: ValueMatchType.VALUE_MATCH_TYPE_EXACT, name: "Q", value: "1" }],
        },
      ],
    }],
  });
  assert.equal(compiled.name, "ns/r");
  assert.deepEqual(compiled.hostnames, [""]);
  assert.deepEqual(compiled.entries.map((e) => [e.pathKind, e.path, e.matchIndex]), [
    ["prefix", "/", 0],
    ["regex", "/x+", 1],
  ]);
  const [, second] = compiled.entries;
  assert.equal(second.rule.totalWeight, 5);
  assert.equal(second.headers[0].name, "x-mine");
  assert.equal(second.headers[0].holds("ab"), false);
  assert.equal(second.headers[0].holds("b"), true);
  assert.equal(second.query[0].name, "Q");
  assert.equal(second.query[0].holds("1"), true);
  assert.equal(second.query[0].holds("11"), false);
});

Deno.test("what cannot be compiled names its place", () => {
  const evil = { type: ValueMatchType.VALUE_MATCH_TYPE_REGEX, name: "x", value: "(a)\\1" };
  const cases: [unknown, RegExp][] = [
    [{ rules: [{ matches: [MATCH, {}] }] }, /^rules\[0\]\.matches\[1\]\.path: missing/],
    [
      { rules: [{ matches: [{ ...MATCH, headers: [evil] }] }] },
      /^rules\[0\]\.matches\[0\]\.headers\[0\]: .*linear/,
    ],
    [
      { rules: [{ matches: [] }, { matches: [{ ...MATCH, queryParams: [evil] }] }] },
      /^rules\[1\]\.matches\[0\]\.queryParams\[0\]: .*linear/,
    ],
  ];
  for (const [route, message] of cases) assert.throws(() => compile(route), { message });
});
