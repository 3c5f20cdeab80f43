import { parseArgs } from "node:util";
import { messageOf } from "../common/errors.ts";
import { redactText } from "../common/redact.ts";
import { readResources } from "./files.ts";
import { OfflineTables } from "./offline_tables.ts";
import { EXTERNAL_NETWORKS, type OfflineOptions, offlineOptions } from "./offline_translator.ts";
import { complain, EXIT, fail, print, usable } from "./output.ts";

export const WHY_USAGE =
  `novaedgectl why --resources DIR URL [--method GET] [--header "name: value"]...
                [--external-name-networks CIDR,...]

Explains which route of the resources in DIR serves a request, and why the others do not.
`;

interface Question {
  readonly folder: string;
  readonly url: string;
  readonly method: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly options: OfflineOptions;
}

/** Runs `novaedgectl why`. */
export async function why(args: string[]): Promise<void> {
  const { folder, url, method, headers, options } = readQuestion(args);
  const { files } = await readResources(folder);
  if (files.length === 0) fail(`${folder}: no YAML or JSON files`, EXIT.refused);
  const tables = new OfflineTables(files, options);
  for (const { file, line, path, reason } of tables.problems) {
    complain(`${file}:${line}: ${path === "" ? "" : `${path}: `}${redactText(reason)}\n`);
  }
  print(`${JSON.stringify(tables.why({ method, url, headers }), null, 2)}\n`);
  // What is explained is what would serve; the folder is not all right for that.
  if (tables.problems.length > 0) Deno.exitCode = EXIT.refused;
}

function readQuestion(args: string[]): Question {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        resources: { type: "string", default: "resources" },
        method: { type: "string", default: "GET" },
        [EXTERNAL_NETWORKS]: { type: "string" },
        header: { type: "string", multiple: true, default: [] },
      },
    });
  } catch (error) {
    fail(`${messageOf(error)}\n${WHY_USAGE}`, EXIT.usage);
  }
  const { values, positionals: [url, ...rest] } = parsed;
  if (url === undefined || rest.length > 0) fail(`usage: ${WHY_USAGE}`, EXIT.usage);
  if (!URL.canParse(url)) {
    fail(`"${url}" is not a full URL, as http://shop.example.com/cart`, EXIT.usage);
  }
  const headers = new Map<string, string>();
  for (const line of values.header) {
    const colon = line.indexOf(":");
    if (colon < 1) fail(`--header: "${line}" is not name: value`, EXIT.usage);
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const options = usable(() => offlineOptions(values));
  return { folder: values.resources, url, method: values.method.toUpperCase(), headers, options };
}
