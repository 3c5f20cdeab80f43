/** The access log as a file: its forms, a name that is moved away, and rotation. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort, startProgram } from "../support/programs.ts";

/** Resolves with a file's text when it has as many lines. */
async function linesOf(path: string, count: number): Promise<string[]> {
  for (;;) {
    const lines = (await Deno.readTextFile(path).catch(() => "")).split("\n").slice(0, -1);
    if (lines.length >= count) return lines;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ask(port: number, path: string): Promise<void> {
  using connection = await HttpConnection.open(port);
  const fields = { "user-agent": "test/1", referer: "http://a.test/b?token=secret" };
  assert.equal((await connection.request("GET", path, fields)).status, 200);
}

Deno.test("the access log goes to a file in the combined format, which SIGUSR1 opens again", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  const folder = await Deno.makeTempDir({ prefix: "novaedge-" });
  const resources = join(folder, "resources");
  const file = join(folder, "logs", "access.log");
  await Deno.mkdir(resources);
  await Deno.mkdir(join(folder, "logs"));
  await Deno.writeTextFile(
    join(resources, "all.yaml"),
    documents(gateway("edge", port), backend("blue", blue.port), route("shop", "blue")),
  );
  {
    await using program = startProgram("standalone", [
      ...["--resources", resources, "--state-dir", join(folder, "state"), "--workers", "1"],
      ...["--admin", `127.0.0.1:${freePort()}`, "--access-log", file],
      ...["--access-log-format", "combined", "--log-level", "info"],
    ]);
    await program.line(/Stop: +Ctrl-C/);
    await ask(port, "/one?key=secret");
    const [first] = await linesOf(file, 1);
    assert.match(
      first,
      /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:[\d:]{8} \+0000\] "GET \/one HTTP\/1\.1" 200 4 "http:\/\/a\.test\/b" "test\/1"$/,
    );
    await Deno.rename(file, `${file}.old`);
    program.process.kill("SIGUSR1");
    await program.line(/access log opened again/);
    await ask(port, "/two");
    assert.match((await linesOf(file, 1))[0], /"GET \/two /);
    assert.equal((await linesOf(`${file}.old`, 1)).length, 1);
    assert.equal((await program.end("SIGTERM")).code, 0);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a line of JSON says how the client asked and how long the backend took", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  const edge = await Edge.prepare({
    "all.yaml": documents(gateway("edge", port), backend("blue", blue.port), route("shop", "blue")),
  }, { workers: 1 });
  await using _edge = edge;
  const file = join(edge.folder, "access.log");
  edge.startDataplane(["--access-log", file, "--access-log-max-mb", "1"]);
  edge.startController();
  edge.startAgent();
  await edge.served();
  await ask(port, "/a");
  const line = JSON.parse((await linesOf(file, 1))[0]);
  const { protocol, user_agent, referer, tls, detail } = line;
  assert.deepEqual([protocol, user_agent, referer, tls, detail], [
    ...["HTTP/1.1", "test/1", "http://a.test/b", undefined, undefined],
  ]);
  assert.ok(line.upstream_ms > 0 && line.upstream_ms <= line.duration_ms);
  // What a megabyte does not hold goes to another file.
  using connection = await HttpConnection.open(port);
  const path = `/${"x".repeat(15_000)}`;
  for (let i = 0; i < 80; i++) await connection.request("GET", path);
  await linesOf(`${file}.1`, 2);
});

Deno.test("a file or a format that cannot be used ends the start with its flag", async () => {
  const cases: [string[], RegExp][] = [
    [["--access-log", "/nowhere/access.log"], /--access-log \/nowhere\/access\.log: /],
    [["--access-log-format", "{stauts}"], /--access-log-format: \{stauts\} is no field/],
  ];
  for (const [args, expected] of cases) {
    const folder = await Deno.makeTempDir({ prefix: "novaedge-" });
    await using program = startProgram("dataplane", [
      ...["--socket", join(folder, "dataplane.sock"), ...args],
    ]);
    await program.line(expected);
    await Deno.remove(folder, { recursive: true });
  }
});
