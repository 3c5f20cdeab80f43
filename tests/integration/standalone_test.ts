import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort, type Program, startProgram } from "../support/programs.ts";
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

/** Writes a site for these listeners and one backend, and starts everything in one process over it. */
async function started(
  place: { folder: string; resources: string },
  backendPort: number,
  ports: readonly number[],
  { admin = freePort(), args = [] }: { admin?: number; args?: string[] } = {},
): Promise<Program> {
  await Deno.writeTextFile(
    join(place.resources, "all.yaml"),
    documents(gateway("edge", ...ports), backend("blue", backendPort), route("shop", "blue")),
  );
  return startProgram("standalone", [
    ...["--resources", place.resources, "--state-dir", join(place.folder, "state")],
    ...["--workers", "1", "--admin", `127.0.0.1:${admin}`, ...args],
  ]);
}

for (const [signals, signal] of [[1, "SIGINT"], [3, "SIGINT"], [1, "SIGTERM"]] as const) {
  Deno.test(`standalone serves and ends in order with code 0 on ${signals} x ${signal}`, async () => {
    await using blue = textBackend("blue");
    await using place = await prepared();
    const port = freePort();
    await using program = await started(place, blue.port, [port]);
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
  await using program = startProgram("standalone", ["--state-dir", join(place.folder, "state")]);
  await program.line(/Stop: +Ctrl-C/);
  const answer = await get(8080, "/green");
  assert.match(answer.body, /^Hello from green: GET \/green for 127\.0\.0\.1/);
  using secure = await HttpConnection.open(8443, { tls: { servername: "localhost" } });
  assert.equal((await secure.request("GET", "/")).status, 200);
  assert.ok(program.lines.some((line) => line.includes("curl http://127.0.0.1:8080/")));
  assert.equal((await program.end("SIGTERM")).code, 0);

  // Bug: what the demo had saved ran first in a folder of one's own, and its URLs were shown.
  await using blue = textBackend("blue");
  const port = freePort();
  await using own = await started(place, blue.port, [port]);
  await own.line(/Stop: +Ctrl-C/);
  const urls = own.lines.filter((line) => /^ {2}https?:/.test(line) && !line.includes("/config"));
  assert.deepEqual(urls, [`  http://127.0.0.1:${port}`]);
});

Deno.test("bug: a taken port was said to be served, and a taken admin port ended the gateway", async () => {
  await using blue = textBackend("blue");
  await using place = await prepared();
  const port = freePort();
  const hold = () => Deno.listen({ hostname: "0.0.0.0", port: 0 });
  using taken = hold();
  using admin = hold();
  const [takenPort, adminPort] = [taken, admin].map(({ addr }) => (addr as Deno.NetAddr).port);
  await using program = await started(place, blue.port, [port, takenPort], { admin: adminPort });
  await program.line(/Stop: +Ctrl-C/);
  const text = program.lines.join("\n");
  assert.match(text, /^NovaEdge is serving, but 1 of 2 listeners are not open$/m);
  assert.match(text, new RegExp(`^ {2}http://127\\.0\\.0\\.1:${port}$`, "m"));
  assert.match(
    text,
    new RegExp(
      `^ {2}http://127\\.0\\.0\\.1:${takenPort} {2}NOT OPEN: .*is taken by another process`,
      "m",
    ),
  );
  assert.match(text, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${adminPort} \\(admin\\)`));
  assert.doesNotMatch(text, /\/config {2}what runs/);
  assert.equal((await get(port)).body, "blue");
  assert.equal((await program.end("SIGTERM")).code, 0);
});

Deno.test("bug: SIGHUP ended the gateway, and SIGUSR1 opened the runtime's debugger", async () => {
  await using blue = textBackend("blue");
  await using place = await prepared();
  const port = freePort();
  await using program = await started(place, blue.port, [port], { args: ["--log-level", "info"] });
  await program.line(/Stop: +Ctrl-C/);
  program.process.kill("SIGHUP");
  await program.line(/reload: looking at the source/);
  assert.equal((await get(port)).body, "blue");
  program.process.kill("SIGUSR1");
  await program.line(/SIGUSR1: the runtime's debugger was closed/);
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: 9229 }), /refused/i);
  assert.equal((await get(port)).body, "blue");
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
