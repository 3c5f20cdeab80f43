import assert from "node:assert/strict";
import { type FileText, FolderState, type FolderStep, type LastGood } from "./folder_state.ts";

/** A folder all of whose valid versions are accepted. */
class Folder extends FolderState {
  good: LastGood[] = [];

  override apply(files: Iterable<readonly [string, FileText]>): FolderStep {
    const step = super.apply(files);
    this.good = this.judged({ accepted: step.changes.map(({ key }) => key), held: new Map() });
    return step;
  }
}

function backend(name: string, port = 80): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec: { endpoints: [{ address: 127.0.0.1, port: ${port} }] }
`;
}

Deno.test("a file that cannot be read keeps its objects, with the reason, until it can", () => {
  const state = new Folder();
  state.apply([["a.yaml", backend("a")]]);
  const { changes } = state.apply([["a.yaml", { unreadable: "permission denied" }]]);
  assert.equal(changes.length, 1);
  assert.match(changes[0].object!.heldBecause, /permission denied/);
  assert.ok(state.problems().every(({ reason }) => reason === "permission denied"));
  const mended = state.apply([["a.yaml", backend("b")]]).changes;
  assert.deepEqual(mended.map(({ key, object }) => [key.name, object === null]).sort(), [
    ["a", true],
    ["b", false],
  ]);
  assert.deepEqual(state.problems(), []);
});

Deno.test("a file that cannot be read at the start serves what is remembered of it", () => {
  const before = new Folder();
  before.apply([["a.yaml", backend("a", 81)]]);
  const { good } = before;
  const state = new Folder(good);
  const { changes } = state.apply([["a.yaml", { unreadable: "permission denied" }]]);
  assert.deepEqual(state.forgetUnclaimed(), []);
  assert.equal(changes.length, 1);
  assert.deepEqual(changes[0].object!.body, good[0].body);
});

Deno.test("an edit above an object moves its line and nothing else", () => {
  const state = new Folder();
  const bad = backend("bad").replace("port: 80", "port: x");
  state.apply([["a.yaml", `${backend("a")}---\n${backend("b")}---\n${bad}`]]);
  assert.equal(state.problems()[0].line, 14);
  const step = state.apply([[
    "a.yaml",
    `# one line more\n${backend("a")}---\n${backend("b")}---\n${bad}`,
  ]]);
  assert.deepEqual(step.changes.filter(({ key }) => key.name === "b"), []);
  assert.equal(state.problems()[0].line, 15);
});

Deno.test("bug: documents for one object were sorted once each", () => {
  const state = new Folder();
  let comparisons = 0;
  const sort = Array.prototype.sort;
  Array.prototype.sort = function (compare) {
    return sort.call(
      this,
      compare && ((a, b) => {
        comparisons++;
        return compare(a, b);
      }),
    );
  };
  try {
    state.apply([["a.yaml", Array(2_000).fill(backend("a")).join("---\n")]]);
  } finally {
    Array.prototype.sort = sort;
  }
  assert.ok(comparisons <= 2_000 * 20, `${comparisons} comparisons`);
  const problems = state.problems();
  assert.equal(problems.length, 101);
  assert.equal(problems[0].reason, "1,899 more problems in this file");
  assert.match(problems[1].reason, /already defined at a\.yaml:1/);
});

Deno.test("of two equal documents in a file, the removal of one keeps the other", () => {
  const state = new Folder();
  const two = `${backend("a")}---\n${backend("a")}---\n${backend("b")}`;
  state.apply([["a.yaml", two]]);
  // Both are taken over from before, at other lines.
  state.apply([["a.yaml", `# moved\n${two}`]]);
  const { changes } = state.apply([["a.yaml", `# moved\n${backend("a")}---\n${backend("b")}`]]);
  assert.deepEqual(changes, []);
  assert.deepEqual(state.problems(), []);
});

Deno.test("a document beyond a limit keeps its object's last good version", () => {
  const state = new Folder();
  state.apply([["a.yaml", `${backend("a")}---\n${backend("b")}`]]);
  const deep = backend("a").replace("spec:", `spec: ${"[".repeat(100)}`);
  const { changes } = state.apply([["a.yaml", `${deep}---\n${backend("b", 81)}`]]);
  const objects = new Map(changes.map(({ key, object }) => [key.name, object]));
  assert.match(objects.get("a")!.heldBecause, /^a\.yaml:4: : the document nests too deep/);
  assert.equal(objects.get("b")!.heldBecause, "");
});

function policy(name: string, rest: string): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: ${name} }
spec:
  type: IPAllowList
  ipList: { cidrs: [10.0.0.0/8] }
${rest}`;
}

const AIM = "  targetRef: { kind: ProxyBackend, name: a }\n";

Deno.test("a policy whose target cannot be told withholds changes until it can, or it is removed", () => {
  const state = new Folder();
  state.apply([["a.yaml", backend("a")], ["p.yaml", policy("p", "  targetRef: [\n")]]);
  assert.equal(state.withheld, true);
  assert.match(state.problems().at(-1)!.reason, /the target of this ProxyPolicy cannot be told/);
  state.apply([["p.yaml", policy("p", AIM)]]);
  assert.equal(state.withheld, false);
  // It serves now, and goes on.
  const { changes } = state.apply([["p.yaml", policy("p", "  targetRef: [\n")]]);
  assert.equal(state.withheld, false);
  assert.equal(changes[0].object!.body.metadata.name, "p");
  state.apply([["p.yaml", policy("new", "  targetRef: [\n")]]);
  assert.equal(state.withheld, true);
  state.apply([["p.yaml", null]]);
  assert.equal(state.withheld, false);
  assert.deepEqual(state.problems(), []);
});

Deno.test("bug: a broken policy with a new target went on closing the old one", () => {
  const state = new Folder();
  state.apply([["p.yaml", policy("p", `${AIM}  x: @\n`)]]);
  const { changes } = state.apply([[
    "p.yaml",
    policy("p", `${AIM.replace("a }", "b }")}  x: @\n`),
  ]]);
  const { spec } = changes[0].object!.body as { spec: { targetRef: { name: string } } };
  assert.equal(spec.targetRef.name, "b");
});

Deno.test("a policy in a file that is not UTF-8 closes its target", () => {
  const state = new Folder();
  const { changes } = state.apply([["p.yaml", {
    unreadable: "the file is not UTF-8",
    remains: `${backend("a\ufffd")}---\n${policy("p", AIM)}`,
  }]]);
  assert.deepEqual(changes.map(({ key }) => key.name), ["p"]);
  assert.match(changes[0].object!.heldBecause, /^p\.yaml:5: : the file is not UTF-8/);
});

Deno.test("bug: documents that say nothing were errors, and held back removals", () => {
  const state = new Folder();
  state.apply([["a.yaml", `${backend("a")}---\n${backend("b")}`]]);
  const nothing = ["null", "~", "...", "# c\n...", "%YAML 1.2", "%YAML 1.1 # c"];
  const { changes } = state.apply([[
    "a.yaml",
    `${nothing.map((text) => `${text}\n---\n`).join("")}${backend("a")}...\n`,
  ]]);
  assert.deepEqual(changes.map(({ key, object }) => [key.name, object === null]), [
    ["a", false],
    ["b", true],
  ]);
  assert.deepEqual(state.problems(), []);
});

Deno.test("bug: whether a text removes objects was told by splitting all of it", () => {
  const state = new Folder();
  state.apply([["a.yaml", backend("a")]]);
  let slices = 0;
  const original = String.prototype.slice;
  String.prototype.slice = function (...range) {
    slices++;
    return original.apply(this, range);
  };
  try {
    assert.equal(state.removals("a.yaml", "a: 1\n---\n".repeat(100_000)), false);
  } finally {
    String.prototype.slice = original;
  }
  assert.ok(slices < 20_000, `${slices} slices`);
});
