import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { guardedGet } from "./guarded_get.ts";
import { UpstreamGuard } from "./upstream_guard.ts";

const OPEN = new UpstreamGuard({ blocked: [], allowed: [] });
const CLOSED = new UpstreamGuard({ blocked: ["127.0.0.0/8", "::1"], allowed: [] });
const HOW = { timeout: 5_000, largest: 1_000, accept: "application/json" };

/** A server; tells how many connections it had. */
async function serve(handler: RequestListener) {
  const server = createServer(handler);
  let connections = 0;
  let received = 0;
  server.on("connection", (socket) => {
    connections++;
    socket.on("data", (chunk) => received += chunk.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    connections: () => connections,
    received: () => received,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

Deno.test("a document is asked for with its host, its path and what is wanted", async () => {
  await using server = await serve((request, response) => {
    const { url, headers: { host, accept } } = request;
    response.end(JSON.stringify({ url, host, accept }));
  });
  const answer = await guardedGet(`http://localhost:${server.port}/a%20b?c=d`, OPEN, HOW);
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body), {
    url: "/a%20b?c=d",
    host: `localhost:${server.port}`,
    accept: "application/json",
  });
});

Deno.test("a forbidden address is not connected to, and a name that leads there hears nothing", async () => {
  await using server = await serve((_, response) => response.end("secret"));
  const refused = { message: "connections to this address are not allowed" };
  await assert.rejects(guardedGet(`http://127.0.0.1:${server.port}/`, CLOSED, HOW), refused);
  assert.equal(server.connections(), 0);
  await assert.rejects(guardedGet(`http://localhost:${server.port}/`, CLOSED, HOW), refused);
  assert.equal(server.received(), 0);
});

Deno.test("a redirect is an answer, and is not followed", async () => {
  await using server = await serve((_, response) =>
    response.writeHead(302, { location: "/there" }).end("elsewhere")
  );
  const answer = await guardedGet(`http://127.0.0.1:${server.port}/`, OPEN, HOW);
  assert.deepEqual(answer, { status: 302, body: "elsewhere" });
});

const wrong: [string, RequestListener, RegExp][] = [
  ["too large", (_, response) => response.end("x".repeat(1_001)), /larger than 1000 bytes/],
  ["cut", (_, response) => {
    response.writeHead(200, { "content-length": "10" });
    response.write("12345", () => response.destroy());
  }, /./],
  ["never there", () => {}, /tim/i],
  ["never whole", (_, response) => void response.write("1"), /tim/i],
];
for (const [name, handler, reason] of wrong) {
  Deno.test(`an answer that is ${name} is an error`, async () => {
    await using server = await serve(handler);
    const how = { ...HOW, timeout: reason.source === "tim" ? 200 : 5_000 };
    await assert.rejects(guardedGet(`http://127.0.0.1:${server.port}/`, OPEN, how), reason);
  });
}

Deno.test("what speaks no HTTP is an error", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    const connection = await listener.accept();
    await connection.write(new TextEncoder().encode("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
    connection.close();
  })();
  await assert.rejects(guardedGet(`http://127.0.0.1:${listener.addr.port}/`, OPEN, HOW));
  await done;
  listener.close();
});
