/** docs/troubleshooting.md names reasons and metrics that there are. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { REASONS } from "../dataplane/observe/reasons.ts";

const ROOT = join(import.meta.dirname!, "..");
const PAGE = await Deno.readTextFile(join(ROOT, "docs/troubleshooting.md"));

Deno.test("every reason and metric of the page exists", async () => {
  const [, section] = PAGE.split("## A request gets an error of the gateway");
  const rows = section.split("\n## ")[0].split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.flatMap((row) => [...row.split("|")[1].matchAll(/`([a-z_]+)`/g)]);
  assert.ok(named.length > 15);
  for (const [, reason] of named) {
    assert.ok((REASONS as readonly string[]).includes(reason), reason);
  }
  const metrics = await Deno.readTextFile(join(ROOT, "dataplane/observe/prometheus.ts"));
  for (const [, name] of PAGE.matchAll(/`(novaedge_[a-z_]+)`/g)) {
    assert.ok(metrics.includes(name), name);
  }
});
