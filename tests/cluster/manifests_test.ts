/** What a checker of manifests says of deploy/kubernetes: what it may leave alone is said there, with the reason. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { buildProblem } from "./binaries.ts";
import { manifestChecker } from "./images.ts";

const FOLDER = join(import.meta.dirname!, "../../deploy/kubernetes");

const problem = await buildProblem();

Deno.test({
  name: `kube-score finds nothing critical in the manifests${
    problem === "" ? "" : ` (${problem})`
  }`,
  ignore: problem !== "",
  async fn() {
    const { resources } = parse(await Deno.readTextFile(join(FOLDER, "kustomization.yaml"))) as {
      resources: string[];
    };
    const { stdout } = await new Deno.Command(await manifestChecker(), {
      args: [
        "score",
        // A limit of CPU slows traffic down while the node idles.
        "--ignore-container-cpu-limit",
        "--output-format=ci",
        ...resources.map((name) => join(FOLDER, name)),
      ],
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assert.ok(lines.some((line) => /\[OK\].*DaemonSet/.test(line)), "the DaemonSet was looked at");
    assert.ok(
      lines.some((line) => /\[OK\].*Deployment/.test(line)),
      "the Deployment was looked at",
    );
    assert.deepEqual(lines.filter((line) => line.startsWith("[CRITICAL]")), []);
  },
});
