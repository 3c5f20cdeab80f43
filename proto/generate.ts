import { join, relative } from "node:path";

const BUF = "@bufbuild/buf@1.75.0";
const TS_PROTO = "ts-proto@2.18.0";
const OPTIONS = [
  "outputServices=grpc-js",
  "importSuffix=.ts",
  "forceLong=number",
  "esModuleInterop=true",
  "oneof=unions-value",
  "outputJsonMethods=false",
  "useOptionals=none",
];

const root = import.meta.dirname!;

async function run(command: string, args: string[], cwd: string): Promise<void> {
  const { success, stderr, stdout } = await new Deno.Command(command, { args, cwd }).output();
  if (!success) {
    throw new Error(
      `${command} ${args.join(" ")} failed:\n${new TextDecoder().decode(stdout)}${
        new TextDecoder().decode(stderr)
      }`,
    );
  }
}

async function* files(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) yield* files(path);
    else yield path;
  }
}

async function generate(out: string): Promise<void> {
  const tools = await Deno.makeTempDir({ prefix: "novaedge-generate-" });
  try {
    await run(
      "npm",
      ["install", "--silent", "--no-audit", "--no-fund", "--prefix", tools, BUF, TS_PROTO],
      tools,
    );
    const bin = join(tools, "node_modules", ".bin");
    const template = {
      version: "v2",
      plugins: [{ local: join(bin, "protoc-gen-ts_proto"), out, opt: OPTIONS, strategy: "all" }],
    };
    await run(join(bin, "buf"), ["generate", "--template", JSON.stringify(template)], root);
    for await (const path of files(out)) {
      const text = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, `// deno-fmt-ignore-file\n// deno-lint-ignore-file\n${text}`);
    }
  } finally {
    await Deno.remove(tools, { recursive: true });
  }
}

/**
 * Regenerates `proto/gen` from the .proto files with buf and ts-proto, both pinned here, offline once
 * they are in the npm cache.
 * @param check write to a temporary folder instead, and compare
 * @throws {Error} when `check` finds a difference, or a tool fails
 */
export async function generateProto(check: boolean): Promise<void> {
  const committed = join(root, "gen");
  if (!check) {
    await Deno.remove(committed, { recursive: true }).catch(() => {});
    await generate(committed);
    return;
  }
  const fresh = await Deno.makeTempDir({ prefix: "novaedge-gen-" });
  try {
    await generate(fresh);
    for await (const path of files(fresh)) {
      const name = relative(fresh, path);
      const old = await Deno.readTextFile(join(committed, name)).catch(() => "");
      if (old === await Deno.readTextFile(path)) continue;
      throw new Error(
        `proto/gen/${name} is not what the .proto files give; run deno task generate`,
      );
    }
  } finally {
    await Deno.remove(fresh, { recursive: true });
  }
}
