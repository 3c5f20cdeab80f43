import assert from "node:assert/strict";
import { linearSearch } from "../../common/linear.ts";
import { modifyPath, type PathModifier } from "./path_modifier.ts";

/** The table of HTTPPathModifier in Gateway API v1.7: path, matched prefix, replacement, result. */
const PREFIXES: readonly [string, string, string, string][] = [
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "", "/bar"],
  ["/foo/", "/foo", "", "/"],
  ["/foo", "/foo", "", "/"],
  ["/foo/", "/foo", "/", "/"],
  ["/foo", "/foo", "/", "/"],
  ["/a/b", "/", "/x", "/x/a/b"],
  ["/", "/", "/x", "/x/"],
];

for (const [path, matched, value, expected] of PREFIXES) {
  Deno.test(`prefix ${matched} of ${path} replaced by "${value}" gives ${expected}`, () => {
    assert.equal(modifyPath({ kind: "prefix", value }, path, matched), expected);
  });
}

function regex(pattern: string, value: string): PathModifier {
  return { kind: "regex", value, pattern: linearSearch(pattern, "here") };
}

const REGEXES: readonly [string, PathModifier, string | null][] = [
  ["/old/1/2", regex("^/old/([^/]+)/(.*)$", "/new/$2/$1"), "/new/2/1"],
  ["/x", regex("^/old", "/new"), "/x"],
  ["/a/a", regex("a", "b"), "/b/a"],
  ["/a", regex("^/", ""), "/a"],
  ["/a/b", regex("/a/", "/../"), "/b"],
  ["/x;y/b", regex("x", "."), null],
];

for (const [path, modifier, expected] of REGEXES) {
  Deno.test(`${path} becomes ${expected} by "${modifier.value}"`, () => {
    assert.equal(modifyPath(modifier, path, "/"), expected);
  });
}

Deno.test("a full path replaces all, in canonical form", () => {
  assert.equal(modifyPath({ kind: "full", value: "/a/../b" }, "/x/y", "/x"), "/b");
  assert.equal(modifyPath({ kind: "full", value: "b" }, "/x", "/"), "/b");
});
