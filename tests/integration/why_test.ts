import assert from "node:assert/strict";
import net from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { OfflineTables } from "../../cli/offline_tables.ts";
import { Edge } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import { startTask } from "../support/tasks.ts";

const path = fc.array(fc.constantFrom("a", "b", "ab"), { maxLength: 3 })
  .map((parts) => `/${parts.join("/")}`);

const match = fc.record({
  path: fc.oneof(
    fc.record({ type: fc.constantFrom("Exact", "PathPrefix"), value: path }),
    fc.record({
      type: fc.constant("RegularExpression"),
      value: fc.constantFrom("/a.*", "/[ab]+/b", "/.*"),
    }),
  ),
  method: fc.constantFrom("GET", "POST"),
  headers: fc.constantFrom([{ name: "x", value: "1" }], [{
    name: "x",
    type: "Prefix",
    value: "1",
  }]),
  queryParams: fc.constant([{ name: "q", value: "1" }]),
}, { requiredKeys: ["path"] });

const route = fc.record({
  hostnames: fc.subarray(["a.test", "*.test", "a.*", "b.a.test"]),
  matches: fc.array(match, { minLength: 1, maxLength: 3 }),
});

const asked = fc.record({
  method: fc.constantFrom("GET", "POST"),
  host: fc.constantFrom("a.test", "b.a.test", "A.TEST:80", "other", "a.other", "test"),
  path: fc.oneof(path, fc.constantFrom("/a//b", "/a/../b", "/%61/b", "/a/b/", "/%2e%2e/a")),
  query: fc.constantFrom("", "?q=1", "?q=2"),
  x: fc.constantFrom("", "1", "12"),
});

Deno.test("novaedgectl why says of any request what the gateway does with it", async () => {
  const port = freePort();
  const [routes] = fc.sample(fc.array(route, { minLength: 30, maxLength: 30 }), {
    numRuns: 1,
    seed: 7,
  });
  const documents = [
    {
      apiVersion: "novaedge.io/v1alpha1",
      kind: "ProxyGateway",
      metadata: { name: "edge" },
      spec: { listeners: [{ name: "http", port, protocol: "HTTP", address: "127.0.0.1" }] },
    },
    ...routes.map(({ hostnames, matches }, i) => ({
      apiVersion: "novaedge.io/v1alpha1",
      kind: "ProxyRoute",
      metadata: { name: `r${i}` },
      spec: {
        hostnames,
        // Each match is a rule that answers with its own name.
        rules: matches.map((match, j) => ({
          matches: [match],
          filters: [{
            type: "DirectResponse",
            directResponse: { statusCode: 200, body: `ProxyRoute/default/r${i} ${j}` },
          }],
        })),
      },
    })),
  ];
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  await using edge = await Edge.start({ "edge.yaml": text }, { workers: 1 });
  assert.deepEqual((await edge.json("/config")).errors, []);
  const tables = new OfflineTables([["edge.yaml", text]]);
  using connection = await HttpConnection.open(port);
  const routed = new Set<string>();
  await fc.assert(
    fc.asyncProperty(asked, async ({ method, host, path, query, x }) => {
      const headers = { host, ...(x === "" ? {} : { x }) };
      const { status, body } = await connection.request(method, `${path}${query}`, headers);
      const explained = tables.why({
        method,
        url: `http://127.0.0.1:${port}${path}${query}`,
        headers: new Map(Object.entries(headers)),
      });
      assert.ok("route" in explained);
      const { route, rule } = explained;
      assert.equal(route === null ? 404 : 200, status, JSON.stringify(explained));
      if (route !== null) assert.equal(`${route} ${rule}`, body);
      routed.add(body);
    }),
    { numRuns: 1_000 },
  );
  assert.ok(routed.size > 15, `${routed.size} rules were reached`);
});

Deno.test("novaedgectl why: one clear line for what it cannot read", async () => {
  const run = async (...args: string[]) => {
    await using program = startTask("ctl", args);
    const { code } = await program.end("SIGWINCH");
    return { code, lines: program.lines };
  };
  const folder = await Deno.makeTempDir({ prefix: "novaedge-" });
  await Deno.writeTextFile(join(folder, "a.yaml"), "kind: ProxyRout\n");
  const url = "http://a.test/";
  const missing = await run("why", "--resources", join(folder, "absent"), url);
  assert.equal(missing.code, 1);
  assert.match(missing.lines.join("\n"), /absent/);
  const relative = await run("why", "--resources", folder, "/cart");
  assert.deepEqual([relative.code, relative.lines.length], [2, 1]);
  const wrong = await run("why", "--resources", folder, url);
  assert.equal(wrong.code, 1, "the folder is not all right");
  assert.match(wrong.lines.join("\n"), /a.yaml:1: kind: .*did you mean ProxyRoute/);
  assert.match(wrong.lines.join("\n"), /no listener on port 80/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("bug: novaedgectl why knows what is answered before any rule", async () => {
  const [port, redirected] = [freePort(), freePort()];
  const text = `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: open, port: ${port}, protocol: HTTP, address: 127.0.0.1 }
    - { name: few, port: ${port}, protocol: HTTP, address: 127.0.0.2, hostnames: [few.test], allowedSourceRanges: [192.0.2.1] }
    - { name: rest, port: ${port}, protocol: HTTP, address: 127.0.0.2, hostnames: [rest.test] }
---
apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: moving }
spec:
  redirectScheme: { enabled: true, scheme: https, statusCode: 302 }
  listeners: [{ name: old, port: ${redirected}, protocol: HTTP, address: 127.0.0.1 }]
---
apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec:
  rules: [{ filters: [{ type: DirectResponse, directResponse: { statusCode: 200 } }] }]
`;
  await using edge = await Edge.start({ "edge.yaml": text }, { workers: 1 });
  assert.deepEqual((await edge.json("/config")).errors, []);
  const tables = new OfflineTables([["edge.yaml", text]]);
  const cases: [string, string, string, number][] = [
    ["GET", `http://127.0.0.1:${port}/`, "a.test", 200],
    ["TRACE", `http://127.0.0.1:${port}/`, "a.test", 405],
    ["GET", `http://127.0.0.2:${port}/`, "few.test", 403],
    ["GET", `http://127.0.0.2:${port}/`, "a.test", 404],
    ["GET", `http://127.0.0.1:${redirected}/a?b=c`, "a.test", 302],
  ];
  for (const [method, url, host, status] of cases) {
    const { hostname, pathname, search, port: number } = new URL(url);
    const socket = net.connect({ host: hostname, port: Number(number) });
    socket.write(
      `${method} ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`,
    );
    let answer = "";
    for await (const bytes of socket) answer += bytes;
    assert.equal(Number(answer.split(" ")[1]), status, `${method} ${url} ${host}`);
    const headers = { host };
    const online = await edge.json(
      `/why?method=${method}&url=${encodeURIComponent(url)}&header=host:${host}`,
    );
    const offline = tables.why({ method, url, headers: new Map(Object.entries(headers)) });
    assert.equal(offline.reason, online.reason);
    if (status !== 200) assert.match(offline.reason, new RegExp(`^${status}: `));
    if (status === 302 && "becomes" in offline) {
      assert.match(answer, new RegExp(`location: ${RegExp.escape(offline.becomes)}\r`, "i"));
    }
  }
  const unclear = tables.why({ method: "GET", url: `http://a.test:${port}/`, headers: new Map() });
  assert.match(unclear.reason, /is open at 127\.0\.0\.1, 127\.0\.0\.2: name one in the URL/);
});
