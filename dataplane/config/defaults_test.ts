import assert from "node:assert/strict";
import { join } from "node:path";
import { DEFAULTS } from "./defaults.ts";

const PAGE = join(import.meta.dirname!, "../../docs/limits.md");

/** The page as the table gives it. */
function page(): string {
  const rows = Object.entries(DEFAULTS).map(([name, { value, unit, reason, effect }]) =>
    `| ${name} | ${value.toLocaleString("en-US")} ${unit} | ${effect} | ${reason} |`
  );
  return [
    "# Limits and timeouts of the dataplane",
    "",
    "From `dataplane/config/defaults.ts`; `NOVAEDGE_GOLDEN=update deno task test dataplane/config` rewrites this page.",
    "",
    "| name | value | what a peer sees | why |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

Deno.test("docs/limits.md is the defaults table", async () => {
  if (Deno.env.get("NOVAEDGE_GOLDEN") === "update") await Deno.writeTextFile(PAGE, page());
  assert.equal(await Deno.readTextFile(PAGE), page());
});

Deno.test("every default is a positive whole number with reason and effect", () => {
  for (const [name, { value, reason, effect }] of Object.entries(DEFAULTS)) {
    assert.ok(Number.isInteger(value) && value > 0, name);
    assert.ok(reason.length > 5 && effect.length > 2, name);
  }
});
