import assert from "node:assert/strict";
import { rawBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

async function edgeFor(...ports: number[]): Promise<{ edge: Edge; port: number }> {
  const port = freePort();
  const edge = await Edge.start(
    { "all.yaml": documents(gateway("edge", port), backend("b", ...ports), route("shop", "b")) },
    { workers: 1 },
  );
  return { edge, port };
}

const CUTS: Readonly<Record<string, string>> = {
  "within a sized body": "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
  "within a chunk": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nhalf",
  "between chunks": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
};

Deno.test("a backend that dies within a response never yields a complete message", async (t) => {
  for (const [name, bytes] of Object.entries(CUTS)) {
    for (const how of ["FIN", "RST"] as const) {
      await t.step(`${name}, ${how}`, async () => {
        await using dying = await rawBackend((socket) => {
          socket.write(bytes, () => how === "FIN" ? socket.end() : socket.resetAndDestroy());
        });
        const { edge, port } = await edgeFor(dying.port);
        await using _edge = edge;
        const answer = await get(port);
        assert.equal(answer.complete, false);
      });
    }
  }
});

Deno.test("a POST is never sent twice", async () => {
  // Answers the first request of a connection, and closes on the second after having read it.
  await using flaky = await rawBackend((socket, _head, nth) => {
    if (nth === 1) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    else socket.destroy();
  });
  const { edge, port } = await edgeFor(flaky.port);
  await using _edge = edge;
  using connection = await HttpConnection.open(port);
  assert.equal((await connection.request("POST", "/first", {}, "x=1")).status, 200);
  assert.equal((await connection.request("POST", "/second", {}, "x=1")).status, 502);
  assert.deepEqual(flaky.requests.filter((request) => request === "POST /second").length, 1);
});

Deno.test("a GET on a reused connection that closes unanswered goes out once more", async () => {
  await using flaky = await rawBackend((socket, _head, nth) => {
    if (nth === 1) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    else socket.destroy();
  });
  const { edge, port } = await edgeFor(flaky.port);
  await using _edge = edge;
  using connection = await HttpConnection.open(port);
  for (let i = 0; i < 3; i++) assert.equal((await connection.request("GET", "/")).status, 200);
  assert.equal(await edge.metric("novaedge_upstream_resent_total"), 2);
});

Deno.test("a dead endpoint is passed over when not a byte was written", async () => {
  await using alive = await rawBackend((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  });
  const { edge, port } = await edgeFor(freePort(), alive.port);
  await using _edge = edge;
  for (let i = 0; i < 4; i++) {
    using connection = await HttpConnection.open(port);
    assert.equal((await connection.request("POST", "/", {}, "x=1")).status, 200);
  }
});

Deno.test("what is no HTTP answer is 502 and its bytes reach nobody", async () => {
  await using broken = await rawBackend((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n\r\n"));
  const { edge, port } = await edgeFor(broken.port);
  await using _edge = edge;
  assert.equal((await get(port)).body, "502 upstream_protocol\n");
});

Deno.test("bytes behind an answer never reach the next user of the connection", async () => {
  await using chatty = await rawBackend((socket, head) => {
    const own = `HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n${
      head.includes("/a") ? "aaa" : "bbb"
    }`;
    socket.write(
      head.includes("/a") ? `${own}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil` : own,
    );
  });
  const { edge, port } = await edgeFor(chatty.port);
  await using _edge = edge;
  using connection = await HttpConnection.open(port);
  assert.equal((await connection.request("GET", "/a")).body, "aaa");
  assert.equal((await connection.request("GET", "/b")).body, "bbb");
});

Deno.test("an early response of a backend that leaves the content unread reaches the client", async () => {
  await using early = earlyBackend("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig");
  const { edge, port } = await edgeFor(early.port);
  await using _edge = edge;
  const body = "x".repeat(4 * 1024 * 1024);
  for (let i = 0; i < 20; i++) {
    using connection = await HttpConnection.open(port);
    const { status, body: text } = await connection.request("POST", "/upload", {}, body);
    assert.deepEqual([status, text], [413, "big"]);
  }
});

Deno.test("large bodies pass both ways, chunked and sized, without being held in memory", async () => {
  const SIZE = 64 * 1024 * 1024;
  await using server = await largeEcho();
  const { edge, port } = await edgeFor(server.port);
  await using _edge = edge;
  const chunk = new Uint8Array(64 * 1024).fill(97);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent >= SIZE) controller.close();
      else {
        sent += chunk.length;
        controller.enqueue(chunk);
      }
    },
  });
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
  let received = 0;
  for await (const part of response.body!) received += part.length;
  assert.equal(received, SIZE);
});

async function largeEcho() {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => new Response(request.body),
  );
  await Promise.resolve();
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Responds to the head of a request and closes with the rest unread, which resets the connection. */
function earlyBackend(response: string) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async (connection: Deno.TcpConn) => {
    await connection.read(new Uint8Array(512));
    await connection.write(new TextEncoder().encode(response));
    connection.close();
  };
  const serving = (async () => {
    for await (const connection of listener) await serve(connection).catch(() => {});
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}
