import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { Program } from "../support/programs.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** Starts a dataplane that cannot have what the native transport needs; what it says, and how it ends. */
async function refused(permissions: string[], env: Record<string, string> = {}) {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-native-" });
  try {
    // Libraries of that name which are none.
    for (const name of ["libssl.so.3", "libcrypto.so.3"]) {
      await Deno.writeTextFile(join(folder, name), "not a library");
    }
    const program = new Program("dataplane", Deno.execPath(), [
      ...["run", "--no-check", "--no-prompt", "--unstable-worker-options", ...permissions],
      ...[join(ROOT, "dataplane/main.ts"), "--transport", "native"],
      ...["--socket", join(folder, "run", "dataplane.sock")],
    ], {
      env: {
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
        ...(env.libraries === undefined ? {} : { LD_LIBRARY_PATH: folder }),
      },
    });
    const { code } = await program.process.status;
    await program.end();
    const left = await Deno.stat(join(folder, "run", "dataplane.sock")).then(
      () => true,
      () => false,
    );
    return { code, lines: program.lines, left };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("without the permission to call libraries: one line, exit code 2, nothing started", async () => {
  const granted = ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
  const { code, lines, left } = await refused(granted);
  assert.deepEqual([code, lines.length, left], [2, 1, false], lines.join("\n"));
  assert.match(lines[0], /^novaedge-dataplane: --transport native: needs/);
});

const problem = nativeProblem();
Deno.test({
  name: `without OpenSSL: one line, exit code 2, nothing started${
    problem === "" ? "" : ` (${problem})`
  }`,
  ignore: problem !== "",
  async fn() {
    const { code, lines, left } = await refused(["-A"], { libraries: "wrong" });
    assert.deepEqual([code, lines.length, left], [2, 1, false], lines.join("\n"));
    assert.match(lines[0], /^novaedge-dataplane: --transport native: needs OpenSSL 3/);
  },
});
