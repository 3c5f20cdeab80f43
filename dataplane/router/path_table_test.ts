import assert from "node:assert/strict";
import fc from "fast-check";
import {
  anyEntry,
  anyRequest,
  entry,
  type EntryParts,
  equals,
  request,
} from "../../tests/support/route_builders.ts";
import { compareEntries, type RouteEntry } from "./compiled.ts";
import { PathTable } from "./path_table.ts";
import { entryMatches, pathCovers } from "./predicates.ts";

function table(...entries: readonly RouteEntry[]): PathTable {
  const out = new PathTable();
  for (const each of entries) out.add(each);
  return out;
}

const found = (entries: readonly EntryParts[], path: string) =>
  table(...entries.map(entry)).match(request(path))?.path ?? null;

Deno.test("exact before prefix before regex, the longest prefix first", () => {
  const all: EntryParts[] = [
    { kind: "regex", path: "/a.*" },
    { kind: "prefix", path: "/" },
    { kind: "prefix", path: "/a" },
    { kind: "prefix", path: "/a/b/" },
    { kind: "exact", path: "/a/b" },
  ];
  assert.equal(found(all, "/a/b"), "/a/b");
  assert.equal(found(all, "/a/b/"), "/a/b/");
  assert.equal(found(all, "/a/b/c"), "/a/b/");
  assert.equal(found(all, "/a/c"), "/a");
  assert.equal(found(all, "/abc"), "/", "prefixes end at a segment");
  assert.equal(found(all.slice(0, 1), "/abc"), "/a.*");
});

Deno.test("a prefix with and without its slash is the same prefix", () => {
  for (const path of ["/a", "/a/"]) {
    for (const sent of ["/a", "/a/", "/a/b"]) {
      assert.equal(found([{ kind: "prefix", path }], sent), path);
    }
    assert.equal(found([{ kind: "prefix", path }], "/ab"), null);
  }
});

Deno.test("an exact path is exact", () => {
  assert.equal(found([{ kind: "exact", path: "/a" }], "/a/"), null);
  assert.equal(found([{ kind: "exact", path: "/a" }], "/A"), null);
});

Deno.test("a failed condition goes on to the next, also to a shorter prefix", () => {
  const entries: EntryParts[] = [
    { kind: "exact", path: "/a", method: "POST" },
    { kind: "prefix", path: "/a", method: "PUT" },
    { kind: "prefix", path: "/" },
  ];
  assert.equal(found(entries, "/a"), "/");
});

/** A path that counts how often it is searched: an endless loop would otherwise end no test. */
function countedPath(path: string): string {
  let searches = 0;
  const counted = {
    length: path.length,
    charCodeAt: (at: number) => path.charCodeAt(at),
    slice: (from: number, to: number) => path.slice(from, to),
    lastIndexOf: (text: string, from: number) => {
      if (++searches > 100) throw new Error("the search for a prefix never ends");
      return path.lastIndexOf(text, from);
    },
  };
  return counted as unknown as string;
}

Deno.test("bug: OPTIONS * ends where no prefix takes it", () => {
  const entries = table(entry({ kind: "prefix", path: "/a" }));
  assert.equal(entries.match({ ...request(""), method: "OPTIONS", path: countedPath("*") }), null);
});

Deno.test("bug: OPTIONS * is not a path below /", () => {
  const root = entry({ kind: "prefix", path: "/" });
  assert.equal(pathCovers(root, "*"), false);
  assert.equal(table(root).match(request("*", "OPTIONS")), null);
});

Deno.test("match finds what trying every entry in order of rank finds", () => {
  const rank = { exact: 0, prefix: 1, regex: 2 };
  const length = (e: RouteEntry) =>
    e.pathKind === "prefix" ? e.path.replace(/\/+$/, "").length : e.path.length;
  fc.assert(fc.property(fc.array(anyEntry, { maxLength: 12 }), anyRequest, (entries, asked) => {
    const ordered = entries.toSorted((a, b) =>
      rank[a.pathKind] - rank[b.pathKind] || length(b) - length(a) || compareEntries(a, b)
    );
    const expected = ordered.find((e) => pathCovers(e, asked.path) && entryMatches(e, asked));
    const got = table(...entries).match(asked);
    assert.equal(got === null, expected === undefined);
    // Entries that compare as equal may stand in any order.
    if (got !== null) assert.equal(compareEntries(got, expected!), 0);
    if (got !== null) assert.equal(got.path.replace(/\/$/, ""), expected!.path.replace(/\/$/, ""));
  }));
});

Deno.test("removing what was added leaves the table as it was", () => {
  const some = fc.array(anyEntry, { maxLength: 8 });
  fc.assert(fc.property(some, some, anyRequest, (kept, gone, asked) => {
    const one = table(...kept);
    const other = table(...kept, ...gone);
    for (const each of gone) other.remove(each);
    assert.equal(other.size, kept.length);
    assert.equal(other.match(asked), one.match(asked));
    assert.deepEqual([...other.inOrder(asked.path)], [...one.inOrder(asked.path)]);
  }));
});

Deno.test("inOrder gives every entry once", () => {
  fc.assert(fc.property(fc.array(anyEntry, { maxLength: 10 }), anyRequest, (entries, asked) => {
    const listed = [...table(...entries).inOrder(asked.path)];
    assert.equal(listed.length, entries.length);
    assert.deepEqual(new Set(listed), new Set(entries));
  }));
});

Deno.test("compareEntries: method, headers, query, then name, rule and match", () => {
  const one = equals("x", "1");
  const base: EntryParts = { kind: "prefix", path: "/", route: "ns/b", index: 1, match: 1 };
  const order: EntryParts[] = [
    { ...base, method: "GET", headers: [one] },
    { ...base, method: "GET", query: [one, one] },
    { ...base, headers: [one, one] },
    { ...base, headers: [one], query: [one] },
    { ...base, headers: [one] },
    { ...base, query: [one] },
    { ...base, route: "ns/a", index: 9, match: 9 },
    { ...base, index: 0, match: 9 },
    { ...base, match: 0 },
    base,
  ];
  const entries = order.map(entry);
  assert.deepEqual(entries.toReversed().sort(compareEntries), entries);
  fc.assert(fc.property(anyEntry, anyEntry, (a, b) => {
    // Added, not negated: -0 is not 0.
    assert.equal(Math.sign(compareEntries(a, b)) + Math.sign(compareEntries(b, a)), 0);
  }));
});

Deno.test("regular expressions rank before or behind prefixes, as their routes say", () => {
  const table = new PathTable();
  const prefix = entry({ kind: "prefix", path: "/a/b", route: "ns/prefix" });
  const late = entry({ kind: "regex", path: "/a/.*x", route: "ns/late" });
  const early = entry({ kind: "regex", path: "/a/.*", route: "ns/early", early: true });
  const exact = entry({ kind: "exact", path: "/a/b/x", route: "ns/exact" });
  for (const one of [prefix, late, early, exact]) table.add(one);
  const found = (path: string) => table.match(request(path))?.rule.route;
  assert.equal(found("/a/b/x"), "ns/exact");
  assert.equal(found("/a/b/y"), "ns/early");
  assert.deepEqual([...table.inOrder("/a/b/y")].map(({ rule }) => rule.route), [
    ...["ns/early", "ns/prefix", "ns/late", "ns/exact"],
  ]);
  table.remove(early);
  assert.equal(found("/a/b/y"), "ns/prefix");
  assert.equal(found("/a/c/x"), "ns/late");
});

Deno.test("among equals the older route comes first, then namespace and name", () => {
  const at = (route: string, created: string) => {
    const made = entry({ kind: "prefix", path: "/a", route });
    return { ...made, rule: { ...made.rule, created, owner: route } };
  };
  const table = new PathTable();
  for (const one of [at("ns/a", "2026-02"), at("ns/c", "2026-01"), at("ns/b", "2026-01")]) {
    table.add(one);
  }
  assert.deepEqual([...table.inOrder("/a")].map(({ rule }) => rule.route), [
    ...["ns/b", "ns/c", "ns/a"],
  ]);
});
