import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Authority } from "../../../tests/support/authority.ts";
import { ApiClient, ApiError } from "./api_client.ts";

/** An API server, with a network before it that can lose what is on its way without a word. */
async function distantServer() {
  const authority = await Authority.create();
  const { certificate, key } = await authority.issue({ name: "api", ips: ["127.0.0.1"] });
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    cert: certificate,
    key,
    onListen() {},
  }, (request) => {
    if (!new URL(request.url).searchParams.has("watch")) return Response.json({ items: [] });
    const line = JSON.stringify({ type: "BOOKMARK", object: { metadata: {} } });
    return new Response(
      ReadableStream.from([`${line}\n`, new Promise<string>(() => {})]).pipeThrough(
        new TextEncoderStream(),
      ),
    );
  });
  const pairs: Socket[] = [];
  const network = createServer((near) => {
    const far = connect(server.addr.port, "127.0.0.1");
    for (const socket of [near, far]) socket.on("error", () => {});
    near.pipe(far).pipe(near);
    pairs.push(near, far);
  });
  network.listen(0, "127.0.0.1");
  await once(network, "listening");
  const client = new ApiClient({
    server: `https://127.0.0.1:${(network.address() as AddressInfo).port}`,
    ca: authority.certificate,
    certificate: null,
    token: () => "",
  });
  return {
    client,
    get connections() {
      return pairs.length / 2;
    },
    /** Nothing passes any more on the connections that there are. */
    lose() {
      for (const socket of pairs) {
        socket.unpipe();
        socket.pause();
      }
    },
    async end() {
      client.close();
      for (const socket of pairs) socket.destroy();
      network.close();
      await server.shutdown();
    },
  };
}

Deno.test("bug: a connection that has gone silent was used until the kernel gave it up", async () => {
  const server = await distantServer();
  const { client } = server;
  await client.request("/a");
  const watch = client.watch("/a", {});
  assert.equal((await watch.next()).value!.type, "BOOKMARK");
  assert.equal(server.connections, 1, "all requests share one");
  server.lose();
  const event = watch.next().then(() => null, (error: unknown) => error);
  const limit = () => ({ signal: AbortSignal.timeout(200) });
  await assert.rejects(client.request("/b", limit()), ApiError);
  // The next one finds its way, and shows that the watch must be begun again.
  await client.request("/c");
  const ended = await event;
  assert.ok(ended instanceof ApiError && ended.reason === "NoAnswer", String(ended));
  assert.match(ended.message, /silent while others are not/);
  assert.equal(server.connections, 2);
  await server.end();
});

Deno.test("a request that its sender gives up says nothing about the connection", async () => {
  const server = await distantServer();
  const { client } = server;
  await client.request("/a");
  const given = new AbortController();
  const asked = client.request("/a", { signal: given.signal });
  given.abort();
  await assert.rejects(asked);
  await client.request("/a");
  assert.equal(server.connections, 1);
  await server.end();
});

Deno.test("bug: a response of the API server that is not JSON was quoted, Secrets too", async () => {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response('hunter2"}\n'),
  );
  const client = new ApiClient({
    server: `http://127.0.0.1:${server.addr.port}`,
    ca: "",
    certificate: null,
    token: () => "",
  });
  const message = "the response is not JSON";
  await assert.rejects(client.request("/a"), { message });
  await assert.rejects(client.watch("/a", {}).next(), { message });
  client.close();
  await server.shutdown();
});
