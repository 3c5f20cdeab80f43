import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalPath, isCanonical, mergeSlashes } from "./path.ts";

/** What clients send and what everyone behind sees. */
const KEPT: readonly [string, string][] = [
  ["/", "/"],
  ["/a/b", "/a/b"],
  ["/a/", "/a/"],
  ["//a///b", "//a///b"],
  ["/%41%2d%7e%5F", "/A-~_"],
  ["/%e4%20%3f%23%25", "/%E4%20%3F%23%25"],
  ["/%2541", "/%2541"],
  ["/%252e%252e/", "/%252e%252e/"],
  ["/a%2Fb", "/a%2Fb"],
  ["/a%2fb%5Cc", "/a%2Fb%5Cc"],
  ["/a;v=1/b;w", "/a;v=1/b;w"],
  ["/a/./b", "/a/b"],
  ["/a/../b", "/b"],
  ["/a/%2e%2E/b", "/b"],
  ["/a/.%2e/b", "/b"],
  ["/a/%2e/b", "/a/b"],
  ["/../../a", "/a"],
  ["/..", "/"],
  ["/.", "/"],
  ["/a/..", "/"],
  ["/a/b/..", "/a/"],
  ["/a/.", "/a/"],
  ["/a//../b", "/a/b"],
  ["/.a/..b/...", "/.a/..b/..."],
  ["/a;x/../b", "/b"],
];

for (const [sent, seen] of KEPT) {
  Deno.test(`path ${sent} becomes ${seen}`, () => {
    assert.deepEqual(canonicalPath(sent), { path: seen, refusal: null });
  });
}

const REFUSED: readonly [string, string][] = [
  ["/a%00", "nul"],
  ["/%00../a", "nul"],
  ["/a%", "bad_escape"],
  ["/a%2", "bad_escape"],
  ["/a%zz", "bad_escape"],
  ["/a%2/b", "bad_escape"],
  ["/%%32%65", "bad_escape"],
  ["/%u002e", "bad_escape"],
  ["/a\\b", "backslash"],
  ["/..\\a", "backslash"],
  ["/a%2f..", "hidden_dot_segment"],
  ["/..%2fa", "hidden_dot_segment"],
  ["/%2e%2e%2fa", "hidden_dot_segment"],
  ["/a%2F%2e%2E%2Fb", "hidden_dot_segment"],
  ["/..%5Ca", "hidden_dot_segment"],
  ["/a%5c.%5cb", "hidden_dot_segment"],
  ["/..;/a", "hidden_dot_segment"],
  ["/.;x=1/a", "hidden_dot_segment"],
  ["/%2e%2e;/a", "hidden_dot_segment"],
  ["/a/..;", "hidden_dot_segment"],
  ["/a;%2f../b", "hidden_dot_segment"],
  ["/a%2f..;x", "hidden_dot_segment"],
];

for (const [sent, refusal] of REFUSED) {
  Deno.test(`path ${sent} is refused: ${refusal}`, () => {
    assert.deepEqual(canonicalPath(sent), { path: null, refusal });
  });
}

/** Paths from the pieces that confuse parsers. */
const hostile = fc.array(
  fc.oneof(
    fc.constantFrom(
      "/",
      "//",
      ".",
      "..",
      "%2e",
      "%2E",
      "%2f",
      "%2F",
      "%5c",
      ";",
      ";a=b",
      "a",
      "%41",
    ),
    fc.stringMatching(/^[!-"$->@-~]{1,3}$/),
  ),
  { maxLength: 12 },
).map((pieces) => `/${pieces.join("")}`);

Deno.test("a canonical path is its own canonical form", () => {
  fc.assert(fc.property(hostile, (raw) => {
    const { path } = canonicalPath(raw);
    if (path !== null) assert.deepEqual(canonicalPath(path), { path, refusal: null });
  }));
});

Deno.test("a canonical path holds no dot segment, however a backend reads it", () => {
  fc.assert(fc.property(hostile, (raw) => {
    const { path } = canonicalPath(raw);
    if (path === null) return;
    const readings = [
      path,
      mergeSlashes(path),
      path.replace(/;[^/]*/g, ""),
      path.replace(/%2f/gi, "/"),
      path.replace(/%5c/gi, "/"),
      path.replace(/%2f|%5c/gi, "/").replace(/;[^/]*/g, ""),
    ];
    for (const reading of readings) {
      assert.ok(!reading.split("/").some((s) => s === "." || s === ".."), `${raw}: ${reading}`);
    }
    assert.ok(path.startsWith("/") && !path.includes("\\"));
  }));
});

Deno.test("what isCanonical accepts unseen is canonical", () => {
  fc.assert(fc.property(hostile, (raw) => {
    if (isCanonical(raw)) assert.deepEqual(canonicalPath(raw), { path: raw, refusal: null });
  }));
  assert.equal(isCanonical("/a/.b"), false);
});

Deno.test("mergeSlashes joins runs and nothing else", () => {
  assert.equal(mergeSlashes("//a///b//"), "/a/b/");
  assert.equal(mergeSlashes("/a%2f%2fb"), "/a%2f%2fb");
});
