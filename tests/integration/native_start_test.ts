import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { textBackend } from "../support/backends.ts";
import { get } from "../support/http_client.ts";
import { injectFault } from "../support/metrics.ts";
import { freePort, Program } from "../support/programs.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** Starts a dataplane that cannot have what the native transport needs; what it says, and how it ends. */
async function refused(permissions: string[], how: { program?: string; libraries?: string } = {}) {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-native-" });
  try {
    // Libraries of that name which are none.
    for (const name of ["libssl.so.3", "libcrypto.so.3"]) {
      await Deno.writeTextFile(join(folder, name), "not a library");
    }
    const program = new Program("dataplane", Deno.execPath(), [
      ...["run", "--no-check", "--no-prompt", "--unstable-worker-options", ...permissions],
      ...[how.program ?? join(ROOT, "dataplane/main.ts"), "--transport", "native"],
      ...["--socket", join(folder, "run", "dataplane.sock")],
    ], {
      env: {
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
        ...(how.libraries === undefined ? {} : { LD_LIBRARY_PATH: folder }),
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
const suffix = problem === "" ? "" : ` (${problem})`;

Deno.test({
  name: `without OpenSSL: one line, exit code 2, nothing started${suffix}`,
  ignore: problem !== "",
  async fn() {
    const { code, lines, left } = await refused(["-A"], { libraries: "wrong" });
    assert.deepEqual([code, lines.length, left], [2, 1, false], lines.join("\n"));
    assert.match(lines[0], /^novaedge-dataplane: --transport native: needs OpenSSL 3/);
  },
});

Deno.test({
  name: `a thread that seccomp cannot reach: one line, exit code 2, nothing started${suffix}`,
  ignore: problem !== "",
  async fn() {
    const program = join(import.meta.dirname!, "testdata/dataplane_beside_filter.ts");
    const { code, lines, left } = await refused(["-A"], { program });
    assert.deepEqual([code, lines.length, left], [2, 1, false], lines.join("\n"));
    assert.match(
      lines[0],
      /^novaedge-dataplane: --transport native: .*thread \d+ .*another filter/,
    );
  },
});

/** Threads of a process with the number of seccomp filters that each has, and whether it may get new rights. */
async function confinementOf(pid: number): Promise<{ filters: number; noNewPrivileges: string }[]> {
  const threads = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const status = await Deno.readTextFile(`/proc/${pid}/task/${name}/status`).catch(() => "");
    if (status === "") continue;
    const field = (title: string) => new RegExp(`^${title}:\\s*(\\d+)`, "m").exec(status)![1];
    threads.push({
      filters: Number(field("Seccomp_filters")),
      noNewPrivileges: field("NoNewPrivs"),
    });
  }
  return threads;
}

Deno.test({
  name:
    `every thread of a dataplane that serves has both filters, also of a worker that replaces one${suffix}`,
  ignore: problem !== "",
  async fn() {
    await using blue = textBackend("blue");
    const port = freePort();
    const files = {
      "all.yaml": documents(
        gateway("edge", port),
        backend("blue", blue.port),
        route("shop", "blue"),
      ),
    };
    const dataplaneArgs = ["--transport", "native", "--fault-injection"];
    await using edge = await Edge.start(files, { workers: 2, dataplaneArgs });
    const assertConfined = async () => {
      assert.equal((await get(port)).body, "blue");
      const threads = await confinementOf(edge.dataplane.process.pid);
      assert.ok(threads.length > 2);
      // Filters beside these two are of the container that the test runs in.
      const inherited = (await confinementOf(Deno.pid))[0].filters;
      for (const { filters, noNewPrivileges } of threads) {
        assert.deepEqual([filters - inherited, noNewPrivileges], [2, "1"]);
      }
    };
    await assertConfined();
    await injectFault(edge, 0, "throw");
    await edge.dataplane.line(/traffic worker serves again/);
    await assertConfined();
    assert.equal((await edge.dataplane.end()).code, 0);
  },
});
