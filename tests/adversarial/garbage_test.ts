import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import fc from "fast-check";
import { PREFACE } from "../../dataplane/http2/preface.ts";
import { proxyHeader } from "../../dataplane/net/proxy_protocol.ts";
import { Authority, secret } from "../support/authority.ts";
import { backend, documents, Edge, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import { RecordingBackend } from "../support/recording_backend.ts";
import { talk } from "../support/wire.ts";

const REQUEST = "GET /t HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const CLIENT = { address: "203.0.113.9", port: 4711 };
const EDGE = { address: "198.51.100.1", port: 80 };

/** Reads of a gauge before the test gives up on it: each is a round trip through three programs. */
const READS = 500;

const PORTS = ["plain", "secure", "proxied", "untrusting", "secureProxied"] as const;
type PortName = typeof PORTS[number];

interface Stage extends AsyncDisposable {
  readonly edge: Edge;
  readonly ports: Readonly<Record<PortName, number>>;
  readonly backend: RecordingBackend;
}

function listeners(ports: Readonly<Record<PortName, number>>): string {
  const trusting = "proxyProtocol: { enabled: true, trustedCIDRs: [127.0.0.0/8] }";
  const certificate = "tls: { secretRef: { name: server } }";
  const at = (name: PortName, protocol: string, ...more: string[]) =>
    `    - { ${
      [`name: ${name.toLowerCase()}`, `port: ${ports[name]}`, `protocol: ${protocol}`]
        .concat("address: 127.0.0.1", more).join(", ")
    } }`;
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
${
    [
      at("plain", "HTTP"),
      at("secure", "HTTPS", certificate),
      at("proxied", "HTTP", trusting),
      at("untrusting", "HTTP", "proxyProtocol: { enabled: true, trustedCIDRs: [192.0.2.0/24] }"),
      at("secureProxied", "HTTPS", certificate, trusting),
    ].join("\n")
  }
`;
}

async function stage(): Promise<Stage> {
  const recording = await RecordingBackend.start();
  const authority = await Authority.create();
  const ports = Object.fromEntries(PORTS.map((name) => [name, freePort()])) as Stage["ports"];
  const edge = await Edge.start({
    "all.yaml": documents(
      listeners(ports),
      secret("server", await authority.issue({ name: "server", dns: ["a"] })),
      backend("b", recording.port),
      route("all", "b"),
    ),
  }, { workers: 1 });
  return {
    edge,
    ports,
    backend: recording,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await recording[Symbol.asyncDispose]();
    },
  };
}

/** Each port still serves those who speak its protocol. */
async function assertServing({ ports }: Stage): Promise<void> {
  const header = proxyHeader(1, CLIENT, EDGE).toString("latin1");
  for (
    const [port, text] of [
      [ports.plain, REQUEST],
      [ports.proxied, header + REQUEST],
      [ports.untrusting, REQUEST],
    ] as const
  ) {
    const { answers } = await talk(port, [text]);
    assert.deepEqual(answers.map(({ body }) => body), ["/t"]);
  }
  using secure = await HttpConnection.open(ports.secure, { tls: { servername: "a" } });
  assert.equal((await secure.request("GET", "/t", { host: "a" })).body, "/t");
  const socket = net.connect({ port: ports.secureProxied, host: "127.0.0.1" });
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(header);
  using proxied = await HttpConnection.over(socket, { servername: "a" });
  assert.equal((await proxied.request("GET", "/t", { host: "a" })).body, "/t");
}

/** The bytes with which a client of ours begins a handshake. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (hello: Buffer) => {
        socket.destroy();
        server.close(() => resolve(hello));
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      const client = tls.connect({ port, host: "127.0.0.1", servername: "a" });
      client.on("error", () => client.destroy());
    });
  });
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

/** Frames of HTTP/2, headers only: length, type, flags, stream. */
const h2 = (length: number, type: number, flags: number, stream: number) => {
  const out = Buffer.alloc(9);
  out.writeUIntBE(length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  return text(out);
};

function garbage(hello: Buffer): readonly [string, string][] {
  const record = (type: number, length: number, body: string) =>
    text(Buffer.from([type, 3, 1, length >> 8, length & 255])) + body;
  const oneFlipped = Buffer.from(hello);
  oneFlipped[11] ^= 0xff;
  const v2 = text(proxyHeader(2, CLIENT, EDGE));
  return [
    ["nothing", ""],
    ["one byte", "G"],
    ["a line break", "\r\n"],
    ["many line breaks", "\r\n".repeat(1000)],
    ["NULs", "\0".repeat(5000)],
    ["0xff", "\xff".repeat(5000)],
    ["text without end", "a".repeat(100_000)],
    ["another protocol", "EHLO mail.example.com\r\nMAIL FROM:<a@b>\r\n"],
    ["HTTP/0.9", "GET /t\r\n"],
    ["a plain request", REQUEST],
    ["a ClientHello", text(hello)],
    ["half a ClientHello", text(hello.subarray(0, hello.length >> 1))],
    ["the header of a ClientHello", text(hello.subarray(0, 5))],
    ["a ClientHello with a flipped byte", text(oneFlipped)],
    ["a ClientHello, then garbage", text(hello) + "\xff".repeat(500)],
    ["a ClientHello, then a plain request", text(hello) + REQUEST],
    ["two ClientHellos", text(hello) + text(hello)],
    ["an alert", record(21, 2, "\x02\x28")],
    ["a record without end", record(22, 0x4000, "\x01\x00\x3f\xfc")],
    ["a record above the limit", record(22, 0xffff, "a".repeat(70_000))],
    ["application data before a handshake", record(23, 5, "hello")],
    ["an SSLv2 hello", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80"],
    ["the HTTP/2 preface", text(PREFACE)],
    ["half the HTTP/2 preface", text(PREFACE.subarray(0, 12))],
    ["the HTTP/2 preface, then a request", text(PREFACE) + REQUEST],
    ["the HTTP/2 preface, then noise", text(PREFACE) + "\xff".repeat(5000)],
    ["the HTTP/2 preface, then half a frame", text(PREFACE) + h2(100, 1, 4, 1)],
    ["the HTTP/2 preface and a huge frame", text(PREFACE) + h2(0, 4, 0, 0) + h2(0xffffff, 1, 4, 1)],
    ["PROXY without end", `PROXY ${"x".repeat(200)}`],
    ["PROXY without addresses", `PROXY TCP4\r\n${REQUEST}`],
    ["PROXY with a bad address", `PROXY TCP4 1.2.3.x 1.2.3.4 1 2\r\n${REQUEST}`],
    ["PROXY with addresses of another family", `PROXY TCP4 ::1 ::2 1 2\r\n${REQUEST}`],
    ["PROXY with a bad port", `PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n${REQUEST}`],
    ["PROXY with a space too many", `PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n${REQUEST}`],
    ["PROXY in lower case", `proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n${REQUEST}`],
    ["PROXY that ends in LF", `PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n${REQUEST}`],
    ["PROXY with a line break in it", `PROXY TCP4 1.2.3.4\r\nX: 1.2.3.4 1 2\r\n${REQUEST}`],
    ["half a v2 header", v2.slice(0, 14)],
    ["a v2 header with a bad version", v2.slice(0, 12) + "\x31" + v2.slice(13) + REQUEST],
    ["a v2 header with a bad command", v2.slice(0, 12) + "\x2f" + v2.slice(13) + REQUEST],
    ["a v2 header shorter than its addresses", v2.slice(0, 14) + "\0\x04" + v2.slice(16) + REQUEST],
    ["a v2 header that promises 64 KiB", v2.slice(0, 14) + "\xff\xff" + "\0".repeat(70_000)],
    ["a broken v2 signature", v2.slice(0, 11) + "X" + v2.slice(12) + REQUEST],
  ];
}

/** What may come back to garbage: an answer of HTTP, frames or alerts, and then the end. */
async function assertEnds(port: number, bytes: string): Promise<void> {
  const { end } = await talk(port, bytes === "" ? [] : [bytes], { fin: true });
  assert.notEqual(end, "open", "the connection ends");
}

Deno.test("garbage on every port: the connection ends, the port serves on, nothing reaches a backend", async (t) => {
  await using on = await stage();
  const cases = garbage(await clientHello());
  for (const name of PORTS) {
    await t.step(name, async () => {
      on.backend.clear();
      // A request is no garbage where plain HTTP is spoken.
      const plain = name === "plain" || name === "untrusting";
      const sent = cases.filter(([what]) => !(plain && what === "a plain request"));
      // All at once: one that does not end must not hold up the others.
      const ends = await Promise.all(sent.map(async ([what, bytes]) => {
        const pieces = bytes === "" ? [] : [bytes];
        return { what, end: (await talk(on.ports[name], pieces, { fin: true })).end };
      }));
      const open = ends.filter(({ end }) => end === "open").map(({ what }) => what);
      assert.deepEqual(open, [], "every connection ends");
      assert.deepEqual(on.backend.requests, []);
    });
  }
  await t.step("a peer that resets within a handshake or a header", async () => {
    const hello = await clientHello();
    for (const name of PORTS) {
      await new Promise<void>((resolve) => {
        const socket = net.connect({ port: on.ports[name], host: "127.0.0.1" });
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.write(hello.subarray(0, 40), () => socket.resetAndDestroy());
      });
    }
  });
  await t.step("two PROXY headers: the second is part of the request", async () => {
    on.backend.clear();
    const header = text(proxyHeader(1, CLIENT, EDGE));
    const { answers, end } = await talk(on.ports.proxied, [header + header + REQUEST], {
      fin: true,
    });
    assert.notEqual(end, "open");
    assert.deepEqual(answers.filter(({ status }) => status !== 400), []);
    assert.deepEqual(on.backend.requests, []);
  });
  await t.step("a PROXY header of someone whom nobody trusts changes nothing", async () => {
    for (const name of ["plain", "untrusting"] as const) {
      for (const version of [1, 2] as const) {
        on.backend.clear();
        const header = text(proxyHeader(version, CLIENT, EDGE));
        const { answers } = await talk(on.ports[name], [header + REQUEST], { fin: true });
        assert.deepEqual(answers.filter(({ status }) => status !== 400), []);
        assert.deepEqual(on.backend.requests, []);
      }
    }
  });
  await t.step("every port serves as before", () => assertServing(on));
  await t.step("no connection is left", async () => {
    let reads = 0;
    for (;; reads++) {
      const metrics = await (await on.edge.get("/metrics")).text();
      const gauges = [...metrics.matchAll(/^novaedge_connections_open\{[^}]*\} (\d+)$/gm)];
      if (gauges.every(([, value]) => value === "0")) break;
      assert.ok(reads < READS, gauges.map(([line]) => line).join("\n"));
    }
  });
  await t.step("the dataplane came through", () => {
    const bad = on.edge.dataplane.lines.filter((line) =>
      /traffic worker (?:died|serves again)|uncaught|TypeError|RangeError/i.test(line)
    );
    assert.deepEqual(bad, []);
  });
});

Deno.test("property: random bytes on every port get an end and reach no backend", async () => {
  await using on = await stage();
  const hello = text(await clientHello());
  const noise = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map(text),
    // Something that begins well gets further in.
    fc.tuple(
      fc.constantFrom(
        ...["GET ", "GET / HTTP/1.1\r\n", "PROXY ", "PROXY TCP4 1.2.3.4 ", text(PREFACE)],
        ...[text(proxyHeader(2, CLIENT, EDGE)).slice(0, 16), hello.slice(0, 60), hello],
      ),
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
    ).map(([begin, bytes]) => begin + text(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PORTS), noise, async (name, bytes) => {
      await assertEnds(on.ports[name], bytes);
      assert.deepEqual(on.backend.requests, []);
    }),
    { numRuns: 200, endOnFailure: true },
  );
  await assertServing(on);
});
