import { join } from "node:path";
import { sha256 } from "../../common/hash.ts";

/** What an image is made of. */
export interface Image {
  /** Names that it goes by. */
  readonly names: readonly string[];
  /** Folder that becomes its file system. */
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** User and group by number. */
  readonly user?: string;
  readonly workingFolder?: string;
}

/** Writes an image as an archive that container runtimes import. */
export async function writeImage(image: Image, archive: string): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "novaedge-image-" });
  try {
    const layer = join(work, "layer.tar");
    await execute("tar", [
      ...["--numeric-owner", "--owner=0", "--group=0", "--sort=name", "--mtime=@0"],
      ...["-cf", layer, "-C", image.root, "."],
    ], work);
    const config = JSON.stringify({
      architecture: Deno.build.arch === "x86_64" ? "amd64" : "arm64",
      os: "linux",
      config: {
        Entrypoint: image.entrypoint,
        Env: Object.entries({ PATH: "/usr/local/bin:/usr/bin:/bin:/sbin", ...image.environment })
          .map(([name, value]) => `${name}=${value}`),
        ...(image.user === undefined ? {} : { User: image.user }),
        ...(image.workingFolder === undefined ? {} : { WorkingDir: image.workingFolder }),
      },
      rootfs: { type: "layers", diff_ids: [`sha256:${await hashOf(layer)}`] },
      history: [],
    });
    const name = `${sha256(config)}.json`;
    await Deno.writeTextFile(join(work, name), config);
    const manifest = [{ Config: name, RepoTags: image.names, Layers: ["layer.tar"] }];
    await Deno.writeTextFile(join(work, "manifest.json"), JSON.stringify(manifest));
    await execute("tar", ["-cf", archive, "-C", work, name, "layer.tar", "manifest.json"], work);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function hashOf(path: string): Promise<string> {
  return (await execute("sha256sum", [path], "/")).slice(0, 64);
}

/** Copies a program with the libraries that it is linked to. */
export async function copyProgram(program: string, root: string, target: string): Promise<void> {
  const put = async (from: string, to: string) => {
    const path = join(root, to);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.copyFile(await Deno.realPath(from), path);
  };
  await put(program, target);
  const linked = await execute("ldd", [program], "/").catch(() => "");
  for (const [, library] of linked.matchAll(/(?:=> |^\s*)(\/\S+)/gm)) await put(library, library);
}

/** Runs a command; its output is shown only when it fails. */
export async function execute(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd })
    .output();
  const text = new TextDecoder();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${text.decode(stderr).slice(-2_000)}`);
  }
  return text.decode(stdout);
}
