import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ascii, text as textOf } from "../message/bytes.ts";
import { RequestHead } from "../message/request_head.ts";
import { parseRequest } from "./parse_request.ts";
import { type RequestAdditions, writeRequest } from "./write_request.ts";

const PEER = "x-forwarded-for: 192.0.2.1\r\nx-real-ip: 192.0.2.1\r\nx-forwarded-proto: http\r\n";
const NOTHING: RequestAdditions = {
  method: "GET",
  path: null,
  peerFields: ascii(PEER),
  forwardedHost: "",
  defaultHost: "b:1",
  requestId: "",
  upgrade: "",
  webSocketKey: "",
};

function parse(bytes: Buffer): RequestHead {
  const head = new RequestHead(64);
  assert.equal(
    parseRequest(head, bytes, 0, bytes.length),
    bytes.length,
    `${head.refusal}: ${bytes}`,
  );
  return head;
}

/** What a backend reads when a client sends `text`. */
function forward(text: string, additions = NOTHING): { written: string; head: RequestHead } {
  const head = parse(Buffer.from(text, "latin1"));
  const bytes = writeRequest(head, additions);
  return { written: bytes.toString("latin1"), head: parse(bytes) };
}

const fieldsOf = (head: RequestHead) =>
  Array.from({ length: head.block.count }, (_, i) => [head.block.name(i), head.block.value(i)]);

Deno.test("a plain request goes out with its fields in order and ours behind them", () => {
  const { written } = forward("GET /a?b=%20c HTTP/1.1\r\nHost: H:80\r\nA: 1\r\nB:2\r\n\r\n", {
    ...NOTHING,
    forwardedHost: "H:80",
  });
  assert.equal(
    written,
    `GET /a?b=%20c HTTP/1.1\r\nHost: H:80\r\nA: 1\r\nB:2\r\n${PEER}x-forwarded-host: H:80\r\n\r\n`,
  );
});

Deno.test("hop-by-hop fields, nominated ones and what a client says about itself do not pass", () => {
  const dropped = [
    "Connection: keep-alive, X-Mine, Upgrade",
    "X-Mine: 1",
    "Upgrade: h2c",
    "HTTP2-Settings: AAA",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Trailer: A",
    "X-Forwarded-For: 6.6.6.6",
    "x-forwarded-FOR: 7.7.7.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Port: 1",
    "Forwarded: for=6.6.6.6",
    "X-Real-IP: 6.6.6.6",
    "X-Forwarded-Client-Cert: By=x",
  ];
  const { head } = forward(
    `GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n${dropped.join("\r\n")}\r\nZ: 2\r\n\r\n`,
    { ...NOTHING, forwardedHost: "h" },
  );
  assert.deepEqual(fieldsOf(head), [
    ["host", "h"],
    ["a", "1"],
    ["z", "2"],
    ["x-forwarded-for", "192.0.2.1"],
    ["x-real-ip", "192.0.2.1"],
    ["x-forwarded-proto", "http"],
    ["x-forwarded-host", "h"],
  ]);
});

for (
  const name of [
    "X-Forwarded-Prefix",
    "X-Forwarded-Ssl",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
  ]
) {
  Deno.test(`bug: a client's ${name} does not pass (the rule names X-Forwarded-*)`, () => {
    const { head } = forward(`GET / HTTP/1.1\r\nHost: h\r\n${name}: evil\r\n\r\n`);
    assert.equal(head.block.get(name.toLowerCase()), null);
  });
}

Deno.test("bug: credentials for this proxy do not pass to the backend", () => {
  const { head } = forward("GET / HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic eA==\r\n\r\n");
  assert.equal(head.block.get("proxy-authorization"), null);
});

Deno.test("bug: HTTP/1.0 without Host becomes an HTTP/1.1 request that is valid", () => {
  const bytes = writeRequest(parse(Buffer.from("GET / HTTP/1.0\r\n\r\n")), NOTHING);
  const head = new RequestHead(64);
  parseRequest(head, bytes, 0, bytes.length);
  assert.equal(head.refusal, null);
});

Deno.test("an absolute target replaces Host and keeps path and query", () => {
  const cases = [["http://A", "/"], ["http://A?q", "/?q"], ["http://A/b?q", "/b?q"]];
  for (const [target, sent] of cases) {
    const { written, head } = forward(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.ok(written.startsWith(`GET ${sent} HTTP/1.1\r\n`), written);
    assert.equal(head.host, "A");
    assert.equal(fieldsOf(head).filter(([name]) => name === "host").length, 1);
  }
});

Deno.test("a canonical path replaces the one sent, a generated id is added", () => {
  const { written } = forward("GET /%61 HTTP/1.1\r\nHost: h\r\n\r\n", {
    ...NOTHING,
    path: "/a",
    peerFields: ascii(""),
    forwardedHost: "h",
    requestId: "id-1",
  });
  assert.equal(
    written,
    "GET /a HTTP/1.1\r\nHost: h\r\nx-forwarded-host: h\r\nx-request-id: id-1\r\n\r\n",
  );
});

Deno.test("a body keeps its length; one without is chunked, whatever case the client wrote", () => {
  const sized = forward("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
  assert.ok(sized.written.includes("Content-Length: 2\r\n"), sized.written);
  assert.equal(/transfer-encoding/i.test(sized.written), false);
  const chunked = forward("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n");
  assert.equal(chunked.written.match(/transfer-encoding/gi)?.length, 1);
  assert.equal(chunked.head.framing.unsized, true);
});

Deno.test("the method is the one that the backend is meant to see", () => {
  const { head } = forward("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", { ...NOTHING, method: "GET" });
  assert.equal(head.method, "GET");
});

Deno.test("a client that takes trailers is told of, as a field of this hop", () => {
  const { head } = forward("GET / HTTP/1.1\r\nHost: h\r\nTE: Trailers\r\n\r\n");
  assert.equal(head.takesTrailers, true);
  assert.deepEqual(fieldsOf(head).slice(-2), [["connection", "te"], ["te", "trailers"]]);
  for (const other of ["gzip", "trailers, deflate"]) {
    const { written } = forward(`GET / HTTP/1.1\r\nHost: h\r\nTE: ${other}\r\n\r\n`);
    assert.equal(/\r\n(te|connection):/i.test(written), false, other);
  }
});

Deno.test("an upgrade that may pass is asked for anew, with nothing else of the client's hop", () => {
  const asking = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, X-Mine\r\nX-Mine: 1\r\n" +
    "Upgrade: WebSocket\r\nTE: trailers\r\n\r\n";
  const { head } = forward(asking, { ...NOTHING, upgrade: "websocket" });
  assert.equal(head.upgrade, "websocket");
  assert.deepEqual(fieldsOf(head).slice(-2), [["connection", "upgrade"], ["upgrade", "websocket"]]);
  assert.equal(head.block.get("x-mine"), null);
  assert.equal(head.block.get("te"), null);
});

Deno.test("a handshake that came without a key gets one", () => {
  const { head } = forward("GET / HTTP/1.1\r\nHost: h\r\n\r\n", {
    ...NOTHING,
    upgrade: "websocket",
    webSocketKey: "a2V5",
  });
  assert.equal(head.block.get("sec-websocket-key"), "a2V5");
});

Deno.test("whatever a client sends, what is written parses again and says the same", () => {
  const own =
    /^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|keep-alive|expect|forwarded|date|cookie)$/i;
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9!#$-]{0,10}$/).filter((n) => !own.test(n));
  const value = fc.stringMatching(
    /^([\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]{0,12}[\x21-\x7e\x80-\xff])?)?$/,
  );
  const field = fc.oneof(
    fc.tuple(name, value),
    fc.constantFrom<[string, string]>(["X-Forwarded-For", "1"], ["TE", "trailers"], [
      "Keep-Alive",
      "1",
    ]),
  );
  const target = fc.stringMatching(/^\/[!-"$->@-~]{0,20}$/);
  const nominated = fc.subarray(["close", "x-none", "keep-alive"]);
  fc.assert(
    fc.property(target, fc.array(field, { maxLength: 12 }), nominated, (path, fields, tokens) => {
      const lines = [...fields, ["Connection", tokens.join(", ")]];
      const text = `GET ${path} HTTP/1.1\r\nHost: h\r\n` +
        lines.map(([n, v]) => `${n}: ${v}\r\n`).join("") + "\r\n";
      const { head } = forward(text);
      assert.equal(textOf(head.buffer, head.targetStart, head.targetEnd), path);
      assert.equal(head.framing.close || head.framing.keepAlive, false);
      assert.equal(head.takesTrailers, fields.some(([n]) => /^te$/i.test(n)));
      const kept = fields.filter(([n]) => !/^(x-forwarded-for|te|keep-alive)$/i.test(n));
      assert.deepEqual(
        fieldsOf(head).slice(1, 1 + kept.length),
        kept.map(([n, v]) => [n.toLowerCase(), v]),
      );
      assert.equal(head.block.get("x-forwarded-for"), "192.0.2.1");
    }),
  );
});
