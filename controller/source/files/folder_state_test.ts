import assert from "node:assert/strict";
import { FolderState } from "./folder_state.ts";

function backend(name: string, port = 80): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec: { endpoints: [{ address: 127.0.0.1, port: ${port} }] }
`;
}

Deno.test("a file that cannot be read keeps its objects, with the reason, until it can", () => {
  const state = new FolderState();
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
  const before = new FolderState();
  const { good } = before.apply([["a.yaml", backend("a", 81)]]);
  const state = new FolderState(good);
  const { changes } = state.apply([["a.yaml", { unreadable: "permission denied" }]]);
  assert.deepEqual(state.forgetUnclaimed(), []);
  assert.equal(changes.length, 1);
  assert.deepEqual(changes[0].object!.body, good[0].body);
});

Deno.test("an edit above an object moves its line and nothing else", () => {
  const state = new FolderState();
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
