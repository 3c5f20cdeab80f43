import assert from "node:assert/strict";
import { join } from "node:path";
import { backend, documents, gateway, route } from "../support/edge.ts";
import { type Answer, HttpConnection } from "../support/http_client.ts";
import { freePort, startProgram } from "../support/programs.ts";
import { startTask, taskFolder } from "../support/tasks.ts";

type Fields = Record<string, string>;

/** Starts standalone with its shipped permissions; `ask` sends a request with any fields to its admin API. */
async function startAdmin(...args: string[]) {
  const folder = await taskFolder();
  const admin = freePort();
  const resources = join(folder.path, "resources");
  await Deno.mkdir(resources);
  await Deno.writeTextFile(
    join(resources, "edge.yaml"),
    documents(gateway("edge", freePort()), backend("b", 9), route("all", "b")),
  );
  const program = startProgram("standalone", [
    ...["--resources", resources, "--state-dir", join(folder.path, "state")],
    ...["--workers", "1", "--admin", `127.0.0.1:${admin}`, "--log-level", "info", ...args],
  ]);
  const end = async () => {
    await program[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  try {
    await program.line(/Stop: +Ctrl-C/);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    admin,
    program,
    ask: (method: string, target: string, fields: Fields) => ask(admin, method, target, fields),
    [Symbol.asyncDispose]: end,
  };
}

async function ask(port: number, method: string, target: string, fields: Fields): Promise<Answer> {
  using connection = await HttpConnection.open(port);
  const answer = await connection.request(method, target, fields);
  for (const name of answer.headers.keys()) {
    assert.ok(!name.startsWith("access-control-"), `${method} ${target} is answered with ${name}`);
  }
  return answer;
}

const READ = [
  "/config",
  "/endpoints",
  "/why?url=http://a.test/",
  "/metrics",
  "/ready",
  "/healthz",
  "/",
];

Deno.test("bug: the admin API served a request with any Host, so a page could rebind its name", async () => {
  await using edge = await startAdmin();
  for (const host of ["evil.example", `evil.example:${edge.admin}`, "10.0.0.7", ""]) {
    for (const target of READ) {
      const { status, body } = await edge.ask("GET", target, { host });
      assert.equal(status, 421, `${host} ${target}`);
      assert.equal(
        body,
        `the host ${JSON.stringify(host)} is not served here: use localhost or the address that ` +
          "this server is bound to; the agent's --admin-hosts allows other names for the admin API\n",
      );
    }
    assert.equal((await edge.ask("PUT", "/logging?level=debug", { host })).status, 421);
  }
  const absolute = await edge.ask("GET", "http://evil.example/config", { host: "localhost" });
  assert.equal(absolute.status, 421);
  assert.ok(!edge.program.lines.some((line) => line.includes('"level":20')), "the level changed");
});

Deno.test("the admin API accepts localhost and loopback addresses as Host, with any port", async () => {
  await using edge = await startAdmin("--admin-hosts", "admin.example.com, 10.0.0.9");
  const hosts = [
    ...[`127.0.0.1:${edge.admin}`, "127.0.0.1", "localhost", `localhost:${edge.admin}`],
    // kubectl port-forward listens on a port of its own.
    ...["localhost:18080", "[::1]:18080", "[::1]", "admin.example.com", "10.0.0.9:80"],
  ];
  for (const host of hosts) {
    assert.equal((await edge.ask("GET", "/config", { host })).status, 200, host);
    assert.equal((await edge.ask("PUT", "/logging?level=info", { host })).status, 200, host);
  }
  assert.equal((await edge.ask("GET", "/config", { host: "example.com" })).status, 421);
  using without = await HttpConnection.open(edge.admin);
  without.write("GET /config HTTP/1.1\r\n\r\n");
  assert.equal((await without.answer()).status, 200);
});

Deno.test("bug: the admin API served cross-origin requests of web pages", async () => {
  await using edge = await startAdmin();
  const host = `localhost:${edge.admin}`;
  const foreign: Fields[] = [
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "http://localhost:3000" },
    { origin: `http://evil.example:${edge.admin}` },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: `http://${host}`, "sec-fetch-site": "cross-site" },
  ];
  for (const fields of foreign) {
    for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]) {
      const preflight = method === "OPTIONS" ? { "access-control-request-method": "PUT" } : {};
      const answer = await edge.ask(method, "/logging?level=debug", {
        host,
        ...fields,
        ...preflight,
      });
      assert.equal(answer.status, 403, `${method} ${JSON.stringify(fields)}`);
    }
    assert.equal((await edge.ask("GET", "/config", { host, ...fields })).status, 403);
  }
  for (const fields of [{ origin: `http://${host}`, "sec-fetch-site": "same-origin" }, {}]) {
    assert.equal((await edge.ask("GET", "/config", { host, ...fields })).status, 200);
    assert.equal((await edge.ask("PUT", "/logging?level=info", { host, ...fields })).status, 200);
  }
});

Deno.test("a form's POST changes nothing: the admin API serves GET, HEAD and PUT", async () => {
  await using edge = await startAdmin();
  for (const method of ["POST", "DELETE", "PATCH", "OPTIONS"]) {
    const { status, headers } = await edge.ask(method, "/logging?level=debug", {
      host: "localhost",
    });
    assert.deepEqual([status, headers.get("allow")], [405, "GET, HEAD, PUT"], method);
  }
  for (const method of ["GET", "HEAD"]) {
    const { status } = await edge.ask(method, "/logging?level=debug", { host: "localhost" });
    assert.equal(status, 404);
  }
  const { headers } = await edge.ask("GET", "/config", { host: "localhost" });
  assert.deepEqual(
    ["cache-control", "cross-origin-resource-policy", "x-content-type-options"].map((name) =>
      headers.get(name)
    ),
    ["no-store", "same-origin", "nosniff"],
  );
});

Deno.test("an invalid --admin or --admin-hosts is one clear line and exit code 2", async () => {
  const cases: [string[], RegExp][] = [
    [["--admin", "9901"], /--admin must be host:port, as 127\.0\.0\.1:9901, not "9901"$/],
    [["--admin", ":9901"], /--admin must be host:port/],
    [["--admin", "::1:9901"], /--admin must be host:port/],
    [["--admin", "127.0.0.1:99999"], /--admin must be host:port/],
    [["--admin-hosts", "*"], /--admin-hosts: "\*" is not a host name or an IP address$/],
  ];
  for (const task of ["agent", "start"]) {
    for (const [args, text] of cases) {
      await using program = startTask(task, args);
      assert.equal((await program.end("SIGCONT")).code, 2);
      assert.equal(program.lines.length, 1);
      assert.match(program.lines[0], text);
    }
  }
});

Deno.test("probes and metrics of agent and controller accept any Host and refuse other origins", async () => {
  await using folder = await taskFolder();
  const resources = join(folder.path, "resources");
  await Deno.mkdir(resources);
  await Deno.writeTextFile(join(resources, "edge.yaml"), gateway("edge", freePort()));
  const [health, metrics, controllerHealth, controllerMetrics] = [
    ...[freePort(), freePort(), freePort(), freePort()],
  ];
  const socket = join(folder.path, "controller.sock");
  await using controller = startTask("controller", [
    ...["--resources", resources, "--state-dir", join(folder.path, "controller")],
    ...["--grpc-socket", socket],
    ...["--health-port", String(controllerHealth), "--metrics-port", String(controllerMetrics)],
  ]);
  await using agent = startTask("agent", [
    ...["--controller-addr", `unix:${socket}`, "--state-dir", join(folder.path, "agent")],
    ...["--dataplane-socket", join(folder.path, "none.sock"), "--admin", "", "--node-name", "n1"],
    ...["--health-port", String(health), "--metrics-port", String(metrics)],
  ]);
  await controller.line(/agent connected/);
  await agent.line(/connected to the controller/);
  const paths: [number, string][] = [
    [health, "/healthz"],
    [metrics, "/metrics"],
    [controllerHealth, "/healthz"],
    [controllerHealth, "/readyz"],
    [controllerMetrics, "/metrics"],
  ];
  for (const [port, path] of paths) {
    for (const host of [`10.0.0.7:${port}`, "novaedge-agent.novaedge-system.svc", "evil.example"]) {
      assert.equal((await ask(port, "GET", path, { host })).status, 200, `${path} as ${host}`);
      assert.equal((await ask(port, "HEAD", path, { host })).status, 200);
      assert.equal((await ask(port, "PUT", path, { host })).status, 405);
      for (
        const fields of [{ origin: "http://other.example" }, { "sec-fetch-site": "cross-site" }]
      ) {
        assert.equal((await ask(port, "GET", path, { host, ...fields })).status, 403);
      }
    }
  }
  // The dump of sessions names nodes.
  const sessions = await ask(controllerMetrics, "GET", "/sessions", { host: "10.0.0.7" });
  assert.deepEqual(JSON.parse(sessions.body).map(({ node }: { node: string }) => node), ["n1"]);
  const rebound = await ask(controllerMetrics, "GET", "/sessions", { host: "evil.example" });
  assert.equal(rebound.status, 421);
  assert.ok(!rebound.body.includes("n1"));
});
