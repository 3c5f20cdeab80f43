import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort, startProgram } from "../support/programs.ts";
import { startStandalone } from "../support/tasks.ts";
import { textBackend } from "../support/backends.ts";
import { backend, documents, gateway, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";

async function prepared(): Promise<
  { folder: string; resources: string; [Symbol.asyncDispose](): Promise<void> }
> {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-" });
  const resources = join(folder, "resources");
  await Deno.mkdir(resources);
  return {
    folder,
    resources,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

for (const [signals, signal] of [[1, "SIGINT"], [3, "SIGINT"], [1, "SIGTERM"]] as const) {
  Deno.test(`standalone serves and ends in order with code 0 on ${signals} x ${signal}`, async () => {
    await using blue = textBackend("blue");
    await using place = await prepared();
    const port = freePort();
    await Deno.writeTextFile(
      join(place.resources, "all.yaml"),
      documents(gateway("edge", port), backend("blue", blue.port), route("shop", "blue")),
    );
    await using program = await startStandalone([
      ...["--resources", place.resources, "--state-dir", join(place.folder, "state")],
      ...["--workers", "1", "--admin", `127.0.0.1:${freePort()}`],
    ]);
    await program.line(/Stop: +Ctrl-C/);
    assert.equal((await get(port)).body, "blue");
    using idle = await HttpConnection.open(port);
    await idle.request("GET", "/");
    for (let i = 1; i < signals; i++) program.process.kill(signal);
    const status = await program.end(signal);
    assert.equal(status.code, 0);
    const complaints = program.lines.filter((line) =>
      /warn|error/i.test(line) && !line.includes("/config")
    );
    assert.deepEqual(complaints, []);
  });
}

Deno.test("the demo serves both listeners without arguments but its state folder", async () => {
  await using place = await prepared();
  await using program = await startStandalone(["--state-dir", join(place.folder, "state")]);
  await program.line(/Stop: +Ctrl-C/);
  const answer = await get(8080, "/green");
  assert.match(answer.body, /^Hello from green: GET \/green for 127\.0\.0\.1/);
  using secure = await HttpConnection.open(8443, { tls: { servername: "localhost" } });
  assert.equal((await secure.request("GET", "/")).status, 200);
  assert.ok(program.lines.some((line) => line.includes("curl http://127.0.0.1:8080/")));
  assert.equal((await program.end("SIGTERM")).code, 0);
});

Deno.test("a wrong flag is one clear line and exit code 2, for every program", async () => {
  for (const name of ["controller", "agent", "dataplane", "standalone"]) {
    for (const args of [["--no-such-flag"], ["--log-level", "loud"], ["stray"]]) {
      const program = startProgram(name, args);
      const { code } = await program.end("SIGCONT");
      assert.equal(code, 2, `${name} ${args}`);
      assert.equal(program.lines.length, 1);
      assert.match(program.lines[0], /^novaedge(-\w+)?: /);
    }
  }
});

Deno.test("a missing resources folder is one clear line", async () => {
  const program = startProgram("standalone", ["--resources", "/nonexistent/folder"]);
  const { code } = await program.end("SIGCONT");
  assert.equal(code, 1);
  assert.deepEqual(program.lines, [
    "novaedge: the resources folder /nonexistent/folder does not exist",
  ]);
});
