import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../common/errors.ts";
import { differences } from "./comparison.ts";
import { runningConfig } from "./running.ts";
import { shownBy } from "./translated.ts";
import { checkFiles, findingText } from "./checked_folder.ts";
import { readResources } from "./files.ts";
import { EXTERNAL_NETWORKS, offlineOptions } from "./offline_translator.ts";
import { EXIT, fail, print, usable } from "./output.ts";

export const CHECK_USAGE =
  `novaedgectl check DIR|FILE [--against URL] [--external-name-networks CIDR,...]
                  [--json]

Reads resources as the gateway would and prints what it would refuse, as file:line: object: reason. A FILE is checked
alone: what it refers to has to be in it. With --against, the URL of a gateway's admin API, it also prints what would
change there: listeners that would open or close, objects, and what is made of them. Nothing that runs is changed.
Settings of policies and contents of Secrets are not compared: the admin API does not show them. What the gateway
gets by --external-name-networks decides on Services of type ExternalName: name it here too.

Exit code: 0 when everything would be served, 1 when something would be refused, 2 for a wrong command.
`;

/** Runs `novaedgectl check`. */
export async function check(args: string[]): Promise<void> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        against: { type: "string" },
        [EXTERNAL_NETWORKS]: { type: "string" },
      },
    });
  } catch (error) {
    fail(`${messageOf(error)}\n${CHECK_USAGE}`, EXIT.usage);
  }
  const { values, positionals: [path, ...rest] } = parsed;
  if (values.against !== undefined && !URL.canParse(values.against)) {
    fail(`--against: "${values.against}" is not a URL, as http://127.0.0.1:9901`, EXIT.usage);
  }
  if (path === undefined || rest.length > 0) fail(`usage: ${CHECK_USAGE}`, EXIT.usage);
  const options = usable(() => offlineOptions(values));
  const { folder, files } = await readResources(path);
  if (files.length === 0) fail(`${path}: no YAML or JSON files`, EXIT.refused);
  const findings = checkFiles(files, options).map((found) => ({
    ...found,
    file: join(folder, found.file),
  }));
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const changes = values.against === undefined
    ? undefined
    : differences(await runningConfig(values.against), shownBy(files, options));
  if (values.json) {
    print(`${JSON.stringify({ ok: errors === 0, findings, changes }, null, 2)}\n`);
  } else {
    for (const finding of findings) print(`${findingText(finding)}\n`);
    for (const { change, what, name, detail } of changes ?? []) {
      print(`would ${change} ${what} ${name}${detail === "" ? "" : `: ${detail}`}\n`);
    }
    const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
    print(
      `${count(files.length, "file")}, ${count(errors, "error")}, ` +
        `${count(findings.length - errors, "warning")}` +
        `${changes === undefined ? "" : `, ${count(changes.length, "change")}`}\n`,
    );
  }
  if (errors > 0) Deno.exitCode = EXIT.refused;
}
