import assert from "node:assert/strict";
import { join } from "node:path";
import { REASONS } from "./reasons.ts";

Deno.test("docs/reasons.md has every reason", async () => {
  const page = await Deno.readTextFile(join(import.meta.dirname!, "../../docs/reasons.md"));
  const rows = Array.from(page.matchAll(/^\| `(\w+)`/gm), ([, reason]) => reason);
  assert.deepEqual(rows.toSorted(), [...REASONS].sort());
});
