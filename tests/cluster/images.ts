import { join } from "node:path";
import { buildImage } from "../../deploy/image/build.ts";
import { writeImage } from "../../deploy/image/archive.ts";
import { VERSION } from "../../common/version.ts";
import { run } from "./binaries.ts";

const CACHE = join(import.meta.dirname!, "../../.cache/kubernetes");

/** Version of the Gateway API whose conformance suite runs: the newest that builds from its modules. */
export const SUITE = "1.6.3";
const COREDNS = "1.12.2";
const KUBE_SCORE = "1.20.0";

/** A program built from a Go module, and the image that it becomes. */
interface Built {
  readonly program: string;
  /** Module paths with versions. */
  readonly requires: readonly string[];
  readonly package: string;
  readonly images: readonly string[];
}

const COREDNS_IMAGE: Built = {
  program: "coredns",
  requires: [`github.com/coredns/coredns v${COREDNS}`],
  package: "github.com/coredns/coredns",
  images: [`registry.k8s.io/coredns/coredns:v${COREDNS}`],
};

const GATEWAY_API = [
  `sigs.k8s.io/gateway-api v${SUITE}`,
  `sigs.k8s.io/gateway-api/conformance v${SUITE}`,
];

/** Answers with what it was asked, as the conformance suite's manifests name it. */
const ECHO_IMAGE: Built = {
  program: "echo-basic",
  requires: GATEWAY_API,
  package: "sigs.k8s.io/gateway-api/conformance/echo-basic",
  images: ["v1.5.1", "v1.6.0-dev.2", "v1.6.0-dev.3"].map((version) =>
    `registry.k8s.io/gateway-api/echo-basic:${version}`
  ),
};

/** Name of an image that answers requests. */
export const ECHO = ECHO_IMAGE.images[0];

/** Runs `go` in a module of its own that requires others. */
async function inModule(requires: readonly string[], args: readonly string[]): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "novaedge-go-" });
  const lines = requires.map((line) => `require ${line}\n`).join("");
  await Deno.writeTextFile(join(work, "go.mod"), `module tools\ngo 1.26.0\n${lines}`);
  try {
    await run("env", ["CGO_ENABLED=0", "go", ...args], work);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Archive of an image whose only program is built here, once. */
async function archiveOf({ program, requires, package: path, images }: Built): Promise<string> {
  const archive = join(CACHE, `${program}.tar`);
  if (await exists(archive)) return archive;
  await Deno.mkdir(CACHE, { recursive: true });
  const root = await Deno.makeTempDir({ prefix: "novaedge-root-" });
  const flags = ["-mod=mod", "-trimpath", "-ldflags", "-s -w"];
  try {
    await inModule(requires, ["build", ...flags, "-o", join(root, program), path]);
    await Deno.mkdir(join(root, "tmp"));
    await writeImage({ names: images, root, entrypoint: [`/${program}`] }, archive);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
  return archive;
}

/** Archives of what every cluster gets: names of Services, and a program that answers requests. */
export async function commonImages(): Promise<string[]> {
  return [await archiveOf(COREDNS_IMAGE), await archiveOf(ECHO_IMAGE)];
}

/** Archive of our own image, made anew. */
export async function ownImage(): Promise<string> {
  const archive = join(CACHE, "novaedge.tar");
  await Deno.mkdir(CACHE, { recursive: true });
  await buildImage(`novaedge:${VERSION}`, archive);
  return archive;
}

/** A program that looks for what is commonly wrong in manifests. */
export async function manifestChecker(): Promise<string> {
  const program = join(CACHE, `kube-score-${KUBE_SCORE}`);
  if (await exists(program)) return program;
  await Deno.mkdir(CACHE, { recursive: true });
  const module = "github.com/zegl/kube-score";
  const args = ["build", "-mod=mod", "-trimpath", "-o", program, `${module}/cmd/kube-score`];
  await inModule([`${module} v${KUBE_SCORE}`], args);
  return program;
}

/** The conformance suite as a program. */
export async function suiteProgram(): Promise<string> {
  const program = join(CACHE, `gateway-api-conformance-${SUITE}`);
  if (await exists(program)) return program;
  const args = ["test", "-mod=mod", "-c", "-o", program, "sigs.k8s.io/gateway-api/conformance"];
  await inModule(GATEWAY_API, args);
  return program;
}
