/** docs/ingress.md says of each annotation what becomes of it; NOVAEDGE_GOLDEN=update writes it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ANNOTATIONS } from "../controller/translate/ingress/annotation_table.ts";

const PAGE = join(import.meta.dirname!, "../docs/ingress.md");
const MARK = "<!-- table -->\n";

function table(): string {
  const rows = ANNOTATIONS.map(({ name, support, restricts, note }) => {
    const served = restricts ? "no: answers 503" : support;
    return [`\`${name}\``, served, note];
  });
  const all = [["annotation", "served", ""], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column].length)));
  const line = (row: string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |\n`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |\n`;
  return line(all[0]) + rule + rows.map(line).join("");
}

Deno.test("docs/ingress.md has every annotation with what becomes of it", async () => {
  const text = await Deno.readTextFile(PAGE);
  const head = text.slice(0, text.indexOf(MARK) + MARK.length);
  const wanted = `${head}\n${table()}`;
  if (Deno.env.get("NOVAEDGE_GOLDEN") === "update") await Deno.writeTextFile(PAGE, wanted);
  assert.equal(await Deno.readTextFile(PAGE), wanted);
});

Deno.test("no annotation is in the table twice", () => {
  assert.equal(new Set(ANNOTATIONS.map(({ name }) => name)).size, ANNOTATIONS.length);
});
