import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import http from "node:http";
import zlib from "node:zlib";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

const LARGE = Array.from({ length: 200_000 }, (_, i) => `line ${i} of a long text\n`).join("");

/** Reads an answer's bytes: chunks of HTTP/1.1, taken apart by hand. */
async function bodyOf(connection: HttpConnection): Promise<Buffer> {
  const parts: string[] = [];
  for (;;) {
    let line = "";
    while (!line.endsWith("\r\n")) {
      const byte = await connection.takeLatin1(1);
      if (byte === "") throw new Error("cut");
      line += byte;
    }
    const size = parseInt(line, 16);
    const data = await connection.takeLatin1(size + 2);
    if (size === 0) return Buffer.from(parts.join(""), "latin1");
    parts.push(data.slice(0, -2));
  }
}

const DECODERS = {
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync,
} as const;

Deno.test("answers are compressed as clients ask, at once and completely", async (t) => {
  let release: () => void = () => {};
  // Not the runtime's own server, which compresses by itself.
  const server = http.createServer(async ({ url }, response) => {
    response.setHeader("content-type", "text/plain");
    if (url !== "/stream") {
      response.end(url === "/small" ? "small" : LARGE);
      return;
    }
    response.write("first");
    await new Promise<void>((resolve) => release = resolve);
    response.end("second");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const served = server.address() as { port: number };
  const port = freePort();
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", port) +
        "  compression: { enabled: true, algorithms: [zstd, br, gzip], level: 3, minSize: 1Ki }\n" +
        "  customErrorPages: [{ codes: [404], body: '<h1>{status} {reason}</h1>' }]\n",
      route("all", "b", { host: "test.example.com" }),
      backend("b", served.port),
    ),
  }, { workers: 1 });
  const ask = async (path: string, coding: string) => {
    const connection = await HttpConnection.open(port);
    connection.write(
      `GET ${path} HTTP/1.1\r\nHost: test.example.com\r\nAccept-Encoding: ${coding}\r\n\r\n`,
    );
    return connection;
  };
  for (const coding of ["gzip", "br", "zstd"] as const) {
    await t.step(coding, async () => {
      using connection = await ask("/", coding);
      const head = await connection.head();
      assert.equal(head.get("content-encoding"), coding);
      assert.equal(head.get("vary")?.toLowerCase().includes("accept-encoding"), true);
      assert.equal(head.has("content-length"), false);
      const body = await bodyOf(connection);
      assert.ok(body.length < LARGE.length / 3, `${body.length} bytes`);
      assert.equal(DECODERS[coding](body).toString(), LARGE);
    });
  }
  await t.step("a small answer is not, and keeps its length", async () => {
    using connection = await ask("/small", "gzip");
    const head = await connection.head();
    assert.equal(head.get("content-encoding"), undefined);
  });
  await t.step("what is streamed comes out before the end", async () => {
    using connection = await ask("/stream", "gzip");
    await connection.head();
    const gunzip = zlib.createGunzip();
    const first = new Promise((resolve) => gunzip.once("data", resolve));
    const size = parseInt(await lineOf(connection), 16);
    gunzip.write(Buffer.from(await connection.takeLatin1(size), "latin1"));
    assert.equal(String(await first), "first");
    release();
  });
  await t.step("a client that goes leaves nothing behind", async () => {
    for (let i = 0; i < 5; i++) {
      const connection = await ask("/", "br");
      await connection.takeLatin1(2_000);
      connection.close();
    }
    using connection = await ask("/", "gzip");
    await connection.head();
    assert.equal(zlib.gunzipSync(await bodyOf(connection)).toString(), LARGE);
    const { endpoints } = await edge.json("/endpoints");
    assert.equal(endpoints[0].active, 0);
  });
  await t.step("pages of the gateway's own answers", async () => {
    using connection = await HttpConnection.open(port);
    const { status, headers, body } = await connection.request("GET", "/", { host: "nobody" });
    assert.deepEqual([status, headers.get("content-type"), body], [
      404,
      "text/html",
      "<h1>404 no_route</h1>",
    ]);
  });
  server.close();
  server.closeAllConnections();
});

async function lineOf(connection: HttpConnection): Promise<string> {
  let line = "";
  while (!line.endsWith("\r\n")) line += await connection.takeLatin1(1);
  return line;
}
