import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { parseProxyHeader, proxyHeader } from "../../dataplane/net/proxy_protocol.ts";
import { Authority, secret } from "../support/authority.ts";
import { httpBackend } from "../support/backends.ts";
import { backend, documents, Edge, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

const CLIENT = { address: "203.0.113.9", port: 4711 };
const EDGE = { address: "198.51.100.1", port: 80 };

function proxiedGateway(plain: number, secure: number, untrusting: number): string {
  const proxied = "proxyProtocol: { enabled: true, trustedCIDRs: [127.0.0.0/8] }";
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: plain, port: ${plain}, protocol: HTTP, address: 127.0.0.1, ${proxied} }
    - { name: secure, port: ${secure}, protocol: HTTPS, address: 127.0.0.1, tls: { secretRef: { name: server } }, ${proxied} }
    - { name: untrusting, port: ${untrusting}, protocol: HTTP, address: 127.0.0.1, proxyProtocol: { enabled: true } }
`;
}

/** Sends bytes and gives what comes back until the connection ends or a complete answer is there. */
function exchange(port: number, ...pieces: (Buffer | string)[]): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect({ port, host: "127.0.0.1" });
    socket.on("data", (data: Buffer) => {
      text += data.toString("latin1");
      if (/\r\n\r\n[^]+/.test(text)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    for (const piece of pieces) socket.write(piece);
  });
}

const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

Deno.test("PROXY headers: from trusted peers they say who the client is, from others they are an error", async (t) => {
  const authority = await Authority.create();
  await using echo = httpBackend((request) =>
    new Response(`${request.headers.get("x-forwarded-for")}|`)
  );
  const [plain, secure, untrusting] = [freePort(), freePort(), freePort()];
  await using _edge = await Edge.start({
    "all.yaml": documents(
      proxiedGateway(plain, secure, untrusting),
      secret("server", await authority.issue({ name: "server", dns: ["a"] })),
      route("all", "echo"),
      backend("echo", echo.port),
    ),
  });
  for (const version of [1, 2] as const) {
    await t.step(`version ${version}, in one piece and in many`, async () => {
      const header = proxyHeader(version, CLIENT, EDGE);
      assert.match(await exchange(plain, header, REQUEST), /\r\n203\.0\.113\.9\|$/);
      const bytes = Buffer.concat([header, Buffer.from(REQUEST)]);
      const pieces = Array.from(bytes, (byte) => Buffer.from([byte]));
      assert.match(await exchange(plain, ...pieces), /\r\n203\.0\.113\.9\|$/);
    });
  }
  await t.step("without addresses the connection's own stays", async () => {
    assert.match(await exchange(plain, "PROXY UNKNOWN\r\n", REQUEST), /\r\n127\.0\.0\.1\|$/);
  });
  await t.step("before the handshake", async () => {
    const socket = net.connect({ port: secure, host: "127.0.0.1" });
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write(proxyHeader(2, CLIENT, EDGE));
    using connection = await HttpConnection.over(socket, { servername: "a" });
    assert.equal((await connection.request("GET", "/", { host: "a" })).body, "203.0.113.9|");
  });
  await t.step("a trusted peer without a header, or with a broken one, gets nothing", async () => {
    assert.equal(await exchange(plain, REQUEST), "");
    assert.equal(await exchange(plain, "PROXY TCP4 1.2.3.4 x 1 2\r\n", REQUEST), "");
    assert.equal(await exchange(plain, `PROXY ${"x".repeat(200)}`), "");
  });
  await t.step("whom nobody trusts may not speak for others", async () => {
    const answer = await exchange(untrusting, proxyHeader(1, CLIENT, EDGE), REQUEST);
    assert.match(answer, /^(HTTP\/1\.1 400|$)/);
    assert.equal((await get(untrusting)).body, "127.0.0.1|");
  });
});

Deno.test("bug: what follows a PROXY header comes in order, however much there is", async () => {
  await using sums = httpBackend(async (request) => {
    const digest = await crypto.subtle.digest("SHA-256", await request.arrayBuffer());
    return new Response(Buffer.from(digest).toString("hex"));
  });
  const plain = freePort();
  const gateway = proxiedGateway(plain, freePort(), freePort()).replace(/\n.*name: secure.*/, "");
  await using _edge = await Edge.start({
    "all.yaml": documents(gateway, route("all", "sums"), backend("sums", sums.port)),
  });
  const sent = Array.from({ length: 20 }, (_, i) => {
    const body = Buffer.from(Uint32Array.from({ length: 40_000 }, (_, j) => i * j).buffer);
    const head = `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`;
    const bytes = Buffer.concat([proxyHeader(1, CLIENT, EDGE), Buffer.from(head), body]);
    return { body, answer: exchange(plain, bytes) };
  });
  for (const { body, answer } of sent) {
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", body)).toString("hex");
    assert.equal((await answer).split("\r\n\r\n")[1], digest);
  }
});

Deno.test("backends get a PROXY header that speaks for one client, on a connection of its own", async () => {
  const seen: string[] = [];
  const server = net.createServer((socket) => {
    let bytes: Buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (data: Buffer) => {
      bytes = Buffer.concat([bytes, data]);
      const header = parseProxyHeader(bytes, 0);
      if (header.kind !== "header" || !bytes.includes("\r\n\r\n", header.length)) return;
      seen.push(header.source!.address);
      bytes = Buffer.alloc(0);
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = (server.address() as net.AddressInfo).port;
  const port = freePort();
  const proxied = backend("b", target).trimEnd() +
    "\n  upstreamProxyProtocol: { enabled: true, version: 2 }\n";
  await using edge = await Edge.start({
    "all.yaml": documents(
      proxiedGateway(port, freePort(), freePort()).replace(/\n.*name: secure.*/, ""),
      route("all", "b"),
      proxied,
    ),
  });
  for (const address of ["203.0.113.1", "203.0.113.2", "203.0.113.1"]) {
    const header = proxyHeader(1, { address, port: 1 }, EDGE);
    assert.match(await exchange(port, header, REQUEST), /^HTTP\/1\.1 200/);
  }
  assert.deepEqual(seen, ["203.0.113.1", "203.0.113.2", "203.0.113.1"]);
  assert.equal(await edge.metric("novaedge_upstream_connects_total"), 3);
  server.close();
});
