import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../common/errors.ts";
import { checkFiles } from "./checked_folder.ts";
import { readResources } from "./files.ts";
import { EXIT, fail, print } from "./output.ts";

export const CHECK_USAGE = `novaedgectl check DIR|FILE [--json]

Reads resources as the gateway would and prints what it would refuse, as file:line: object: reason. A FILE is checked
alone: what it refers to has to be in it. Nothing that runs is asked or changed.

Exit code: 0 when everything would be served, 1 when something would be refused, 2 for a wrong command.
`;

/** Runs `novaedgectl check`. */
export async function check(args: string[]): Promise<void> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: "boolean", default: false } },
    });
  } catch (error) {
    fail(`${messageOf(error)}\n${CHECK_USAGE}`, EXIT.usage);
  }
  const { values, positionals: [path, ...rest] } = parsed;
  if (path === undefined || rest.length > 0) fail(`usage: ${CHECK_USAGE}`, EXIT.usage);
  const { folder, files } = await readResources(path);
  if (files.length === 0) fail(`${path}: no YAML or JSON files`, EXIT.refused);
  const findings = checkFiles(files).map((found) => ({ ...found, file: join(folder, found.file) }));
  const errors = findings.filter(({ severity }) => severity === "error").length;
  if (values.json) print(`${JSON.stringify({ ok: errors === 0, findings }, null, 2)}\n`);
  else {
    for (const { severity, file, line, path, object, reason } of findings) {
      const parts = [object, path, reason].filter((part) => part !== "");
      print(`${file}:${line}: ${severity}: ${parts.join(": ")}\n`);
    }
    const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
    print(
      `${count(files.length, "file")}, ${count(errors, "error")}, ` +
        `${count(findings.length - errors, "warning")}\n`,
    );
  }
  if (errors > 0) Deno.exitCode = EXIT.refused;
}
