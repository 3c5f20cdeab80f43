import assert from "node:assert/strict";
import { join } from "node:path";
import { LogFile } from "./log_file.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a log file moves itself away when it has grown, and keeps some", async () => {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-log-" });
  const path = join(folder, "access.log");
  const read = (name: string) => Deno.readTextFileSync(join(folder, name));
  await Deno.writeTextFile(path, "before\n");
  const file = new LogFile(path, 20, 2);
  for (let i = 0; i < 8; i++) await file.write(bytes(`line ${i}...\n`));
  file.close();
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["access.log", "access.log.1", "access.log.2"]);
  assert.deepEqual(
    [read("access.log.2"), read("access.log.1"), read("access.log")],
    ["line 3...\nline 4...\n", "line 5...\nline 6...\n", "line 7...\n"],
  );
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o640);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a log file that was moved away is opened again", async () => {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-log-" });
  const path = join(folder, "access.log");
  const file = new LogFile(path, 0, 0);
  await file.write(bytes("one\n"));
  await Deno.rename(path, join(folder, "old"));
  await file.write(bytes("two\n"));
  file.reopen();
  await file.write(bytes("three\n"));
  assert.equal(await Deno.readTextFile(join(folder, "old")), "one\ntwo\n");
  assert.equal(await Deno.readTextFile(path), "three\n");
  await Deno.remove(folder, { recursive: true });
  // The folder is gone: the file that is open stays in use.
  assert.throws(() => file.reopen(), Deno.errors.NotFound);
  await file.write(bytes("four\n"));
  file.close();
});
