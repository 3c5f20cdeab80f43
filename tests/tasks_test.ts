import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname!, "..");
const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));

for (const name of Object.keys(tasks)) {
  test(`deno task ${name} --help says how it is used, and does nothing`, async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", name, "--help"],
      cwd: ROOT,
      stdin: "null",
    }).output();
    const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.equal(code, 0, errors);
    assert.match(text, /^Usage: |^novaedgectl check/);
    assert.equal(errors, "");
  });
}
