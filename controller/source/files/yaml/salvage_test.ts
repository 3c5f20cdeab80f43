import assert from "node:assert/strict";
import { salvage } from "./salvage.ts";

const WANTED = { kind: {}, metadata: {}, spec: { targetRef: {} } };

Deno.test("salvage() reads fields before and behind one that is broken", () => {
  const text = "kind: ProxyPolicy\nspec:\n  type: [\n  targetRef:\n    kind: A\n    name: b\n" +
    "  jwt: 'x\nmetadata: { name: c }\n";
  assert.deepEqual(salvage(text, WANTED), {
    kind: "ProxyPolicy",
    spec: { targetRef: { kind: "A", name: "b" } },
    metadata: { name: "c" },
  });
});

Deno.test("salvage() parses the first field of a name alone", () => {
  const text = "spec: [\n".repeat(10_000) + "kind: a\n";
  assert.deepEqual(salvage(text, WANTED), { spec: {}, kind: "a" });
});
