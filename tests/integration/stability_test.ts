import assert from "node:assert/strict";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

const CHANGES = 1_000;
const CONNECTIONS = 100;

Deno.test("through 1,000 unrelated changes a download, 100 connections and the upstream pools stay", async () => {
  let feed: ReadableStreamDefaultController<Uint8Array>;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    if (new URL(request.url).pathname !== "/slow") return new Response("blue");
    return new Response(new ReadableStream({ start: (controller) => void (feed = controller) }));
  });
  const port = freePort();
  const other = (i: number) => route("other", "blue", { host: `other${i}.example.com` });
  const edge = await Edge.start({
    "base.yaml": documents(
      gateway("edge", port),
      backend("blue", server.addr.port),
      route("shop", "blue", { host: "test.example.com" }),
    ),
    "other.yaml": other(0),
  });
  try {
    const slow = await HttpConnection.open(port);
    const download = slow.request("GET", "/slow");
    const connections = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => HttpConnection.open(port)),
    );
    const all = () => Promise.all(connections.map((connection) => connection.request("GET", "/")));
    for (const answer of await all()) assert.equal(answer.status, 200);
    const upstream = () => edge.metric("novaedge_upstream_connects_total");
    const before = await upstream();

    const text = new TextEncoder();
    for (let i = 1; i <= CHANGES; i++) {
      await edge.change("other.yaml", other(i));
      if (i % 100 === 0) feed!.enqueue(text.encode("x"));
    }
    for (const answer of await all()) assert.equal(answer.status, 200);
    assert.ok(connections.every((connection) => !connection.ended));
    assert.equal(await upstream(), before);
    feed!.close();
    const answer = await download;
    assert.equal(answer.complete, true);
    assert.equal(answer.body.length, CHANGES / 100);
    for (const connection of [slow, ...connections]) connection.close();
  } finally {
    await edge[Symbol.asyncDispose]();
    await server.shutdown();
  }
});
