import assert from "node:assert/strict";
import { join } from "node:path";
import { overLimit, SOURCE_LIMITS } from "./source_limits.ts";

const PAGE = join(import.meta.dirname!, "../../docs/source-limits.md");

/** The page as the table gives it. */
function page(): string {
  const rows = Object.entries(SOURCE_LIMITS).map(([name, { value, unit, reason, remedy }]) =>
    `| ${name} | ${value.toLocaleString("en-US")} ${unit} | ${reason} | ${remedy} |`
  );
  return [
    "# Limits of the resource source",
    "",
    "From `controller/source/source_limits.ts`; `NOVAEDGE_GOLDEN=update deno task test controller/source` rewrites this page.",
    "A document beyond a limit is refused with its file and line, and its object's last good version keeps serving.",
    "",
    "| name | value | why | what to do |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

Deno.test("docs/source-limits.md is the table of limits", async () => {
  if (Deno.env.get("NOVAEDGE_GOLDEN") === "update") await Deno.writeTextFile(PAGE, page());
  assert.equal(await Deno.readTextFile(PAGE), page());
});

Deno.test("a refusal says what was found, the limit and what to do", () => {
  assert.equal(
    overLimit("the file has too many documents", "documents"),
    "the file has too many documents; the limit is 5,000 documents: split the file",
  );
});
