import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ascii, text as textOf } from "./bytes.ts";
import { RequestHead } from "./request_head.ts";
import { type RequestAdditions, writeChunk, writeRequest } from "./write_request.ts";

const PEER = "x-forwarded-for: 192.0.2.1\r\nx-real-ip: 192.0.2.1\r\nx-forwarded-proto: http\r\n";
const NOTHING: RequestAdditions = {
  path: null,
  peerFields: ascii(PEER),
  defaultHost: "b:1",
  requestId: "",
};

function parse(bytes: Buffer): RequestHead {
  const head = new RequestHead(64);
  assert.equal(head.parse(bytes, 0, bytes.length), bytes.length, `${head.refusal}: ${bytes}`);
  return head;
}

/** What a backend reads when a client sends `text`. */
function forward(text: string, additions = NOTHING): { written: string; head: RequestHead } {
  const head = parse(Buffer.from(text, "latin1"));
  const bytes = writeRequest(head, additions, null);
  return { written: bytes.toString("latin1"), head: parse(bytes) };
}

const fieldsOf = (head: RequestHead) =>
  Array.from({ length: head.block.count }, (_, i) => [head.block.name(i), head.block.value(i)]);

Deno.test("a plain request goes out with its fields in order and ours behind them", () => {
  const { written } = forward("GET /a?b=%20c HTTP/1.1\r\nHost: H:80\r\nA: 1\r\nB:2\r\n\r\n");
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
  const bytes = writeRequest(parse(Buffer.from("GET / HTTP/1.0\r\n\r\n")), NOTHING, null);
  const head = new RequestHead(64);
  head.parse(bytes, 0, bytes.length);
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
    path: "/a",
    defaultHost: "b:1",
    peerFields: ascii(""),
    requestId: "id-1",
  });
  assert.equal(
    written,
    "GET /a HTTP/1.1\r\nHost: h\r\nx-forwarded-host: h\r\nx-request-id: id-1\r\n\r\n",
  );
});

Deno.test("a body of known length follows the head; a chunked one is framed anew", () => {
  const sized = parse(Buffer.from("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n"));
  const out = writeRequest(sized, NOTHING, Buffer.from("hi")).toString();
  assert.ok(out.endsWith("\r\n\r\nhi") && out.includes("Content-Length: 2\r\n"), out);
  const chunked = parse(
    Buffer.from("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"),
  );
  const text = writeRequest(chunked, NOTHING, writeChunk(Buffer.from("hi"), true)).toString();
  assert.equal(text.match(/transfer-encoding/gi)?.length, 1);
  assert.ok(text.endsWith("\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), text);
});

Deno.test("writeChunk frames data and end", () => {
  assert.equal(writeChunk(null, true).toString(), "0\r\n\r\n");
  assert.equal(writeChunk(Buffer.alloc(0), false).length, 0, "an empty chunk would end the body");
  const data = Buffer.alloc(70_000, "x");
  const out = writeChunk(data, false);
  assert.equal(out.toString("latin1", 0, 7), "11170\r\n");
  assert.equal(out.length, 7 + data.length + 2);
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
      const kept = fields.filter(([n]) => !/^(x-forwarded-for|te|keep-alive)$/i.test(n));
      assert.deepEqual(
        fieldsOf(head).slice(1, 1 + kept.length),
        kept.map(([n, v]) => [n.toLowerCase(), v]),
      );
      assert.equal(head.block.get("x-forwarded-for"), "192.0.2.1");
    }),
  );
});
