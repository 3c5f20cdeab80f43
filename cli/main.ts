/** novaedgectl: what a folder of resources does with a request, without a gateway that runs. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../common/errors.ts";
import { redactText } from "../common/redact.ts";
import type { FileText } from "../controller/source/files/folder_state.ts";
import { readFile } from "../controller/source/files/read_file.ts";
import { OfflineTables } from "./offline_tables.ts";

const USAGE = `novaedgectl why --resources DIR URL [--method GET] [--header "name: value"]...

Explains which route of the resources in DIR serves a request, and why the others do not.
`;

const EXIT_USAGE = 2;

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function fail(message: string, code: number): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`novaedgectl: ${redactText(message)}\n`));
  Deno.exit(code);
}

/** YAML files of a folder and those below it, by name. */
async function* filesOf(folder: string, prefix = ""): AsyncGenerator<[string, FileText]> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (name.startsWith(".")) continue;
    if (isDirectory) yield* filesOf(path, `${prefix}${name}/`);
    else if (/\.ya?ml$/.test(name)) {
      yield [`${prefix}${name}`, await readFile(path, await Deno.stat(path))];
    }
  }
}

interface Command {
  readonly folder: string;
  readonly url: string;
  readonly method: string;
  readonly headers: ReadonlyMap<string, string>;
}

function readCommand(): Command {
  let parsed;
  try {
    parsed = parseArgs({
      args: Deno.args,
      allowPositionals: true,
      options: {
        resources: { type: "string", default: "resources" },
        method: { type: "string", default: "GET" },
        header: { type: "string", multiple: true, default: [] },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    fail(`${messageOf(error)}\n${USAGE}`, EXIT_USAGE);
  }
  const { values, positionals: [command, url, ...rest] } = parsed;
  if (values.help) {
    print(USAGE);
    Deno.exit(0);
  }
  if (command !== "why" || url === undefined || rest.length > 0) {
    fail(`usage: ${USAGE}`, EXIT_USAGE);
  }
  if (!URL.canParse(url)) {
    fail(`"${url}" is not a full URL, as http://shop.example.com/cart`, EXIT_USAGE);
  }
  const headers = new Map<string, string>();
  for (const line of values.header) {
    const colon = line.indexOf(":");
    if (colon < 1) fail(`--header: "${line}" is not name: value`, EXIT_USAGE);
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { folder: values.resources, url, method: values.method.toUpperCase(), headers };
}

const { folder, url, method, headers } = readCommand();
try {
  const files = await Array.fromAsync(filesOf(folder));
  files.sort(([a], [b]) => a < b ? -1 : 1);
  if (files.length === 0) fail(`${folder}: no YAML files`, 1);
  const tables = new OfflineTables(files);
  for (const { file, line, path, reason } of tables.problems) {
    const text = `${file}:${line}: ${path === "" ? "" : `${path}: `}${redactText(reason)}\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
  print(`${JSON.stringify(tables.why({ method, url, headers }), null, 2)}\n`);
} catch (error) {
  fail(messageOf(error), 1);
}
