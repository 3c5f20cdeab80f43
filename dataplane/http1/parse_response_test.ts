import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { text as textOf } from "../message/bytes.ts";
import { BodyKind, ResponseHead } from "../message/response_head.ts";
import { parseResponse } from "./parse_response.ts";

function parse(text: string, method = "GET") {
  const head = new ResponseHead(8);
  const bytes = Buffer.from(text, "latin1");
  const result = parseResponse(head, bytes, 0, bytes.length, method);
  return { head, result, error: head.error };
}

const ok = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}\r\n`;

const REFUSED: readonly [string, string, string][] = [
  ["other protocol", "ICY 200 OK\r\n\r\n", "no status line of HTTP/1"],
  ["HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "no status line of HTTP/1"],
  ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", "no status line of HTTP/1"],
  ["two-digit status", "HTTP/1.1 20 OK\r\n\r\n", "no status between 100 and 599"],
  ["four-digit status", "HTTP/1.1 2000 OK\r\n\r\n", "no status between 100 and 599"],
  ["status 099", "HTTP/1.1 099 OK\r\n\r\n", "no status between 100 and 599"],
  ["status 600", "HTTP/1.1 600 OK\r\n\r\n", "no status between 100 and 599"],
  ["no space", "HTTP/1.1200 OK\r\n\r\n  ", "no status line of HTTP/1"],
  ["bare LF", "HTTP/1.1 200 OK\nA: 1\r\n\r\n", "status line without CRLF"],
  ["bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", "status line without CRLF"],
  ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", "status line without CRLF"],
  ["bare LF between fields", ok("A: 1\nB: 2\r\n"), "CR or LF alone behind the status line"],
  ["obs-fold", ok("A: 1\r\n B\r\n"), "folded line behind field a"],
  [
    "space before colon",
    ok("Content-Length : 5\r\n"),
    "field name that is none behind the status line",
  ],
  ["too many fields", ok("A: 1\r\n".repeat(9)), "too many fields"],
  [
    "CL and TE",
    ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    "Content-Length beside Transfer-Encoding",
  ],
  [
    "two CL",
    ok("Content-Length: 5\r\nContent-Length: 5\r\n"),
    "Content-Length that is no number, or is there twice",
  ],
  [
    "CL list",
    ok("Content-Length: 5, 5\r\n"),
    "Content-Length that is no number, or is there twice",
  ],
  ["TE gzip", ok("Transfer-Encoding: gzip\r\n"), "Transfer-Encoding other than chunked"],
  [
    "TE in HTTP/1.0",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked in HTTP/1.0",
  ],
  [
    "Connection names CL",
    ok("Content-Length: 5\r\nConnection: content-length\r\n"),
    "Connection names a field that must pass",
  ],
];

for (const [name, text, error] of REFUSED) {
  Deno.test(`response head refused: ${name}`, () => {
    const parsed = parse(text);
    assert.deepEqual({ result: parsed.result, error: parsed.error }, { result: -2, error });
  });
}

Deno.test("a response head split at any byte gives what the whole gives", () => {
  const texts = [...REFUSED.map((row) => row[1]), ok("A: 1\r\nContent-Length: 3\r\n")];
  for (const text of texts) {
    const bytes = Buffer.from(text, "latin1");
    const whole = parse(text);
    for (let at = 0; at < bytes.length; at++) {
      const head = new ResponseHead(8);
      let result = parseResponse(head, bytes.subarray(0, at), 0, at, "GET");
      if (result === -1) result = parseResponse(head, bytes, 0, bytes.length, "GET");
      assert.deepEqual([result, head.error], [whole.result, whole.error], `${text} at ${at}`);
    }
  }
});

/** Method, head, how the body ends, whether the connection may be used again. */
const FRAMES: readonly [string, string, BodyKind, boolean][] = [
  ["GET", ok("Content-Length: 5\r\n"), BodyKind.Length, true],
  ["GET", ok("Content-Length: 0\r\n"), BodyKind.None, true],
  ["GET", ok("Transfer-Encoding: chunked\r\n"), BodyKind.Framed, true],
  ["GET", ok(""), BodyKind.UntilClose, false],
  ["GET", ok("Content-Length: 5\r\nConnection: close\r\n"), BodyKind.Length, false],
  ["HEAD", ok("Content-Length: 5\r\n"), BodyKind.None, true],
  ["HEAD", ok("Transfer-Encoding: chunked\r\n"), BodyKind.None, true],
  ["HEAD", ok(""), BodyKind.None, true],
  ["GET", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", BodyKind.None, true],
  ["GET", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", BodyKind.None, true],
  ["GET", "HTTP/1.1 100\r\n\r\n", BodyKind.None, true],
  ["GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", BodyKind.Length, false],
  [
    "GET",
    "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
    BodyKind.Length,
    true,
  ],
  ["GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", BodyKind.UntilClose, false],
];

for (const [method, text, kind, reusable] of FRAMES) {
  Deno.test(`response framing: ${method} ${JSON.stringify(text)}`, () => {
    const { head, result } = parse(text, method);
    assert.equal(result, text.length);
    assert.equal(head.body, kind);
    assert.equal(head.reusable, reusable);
  });
}

Deno.test("an empty reason and obs-text in it are kept as they came", () => {
  const { head } = parse("HTTP/1.1 404 Nicht g\xfcltig\r\n\r\n");
  assert.equal(head.status, 404);
  assert.equal(
    textOf(head.buffer, head.statusStart, head.statusEnd),
    " 404 Nicht g\xfcltig\r\n",
  );
  assert.equal(parse("HTTP/1.1 200\r\n\r\n").result, 16);
});

Deno.test("arbitrary bytes never make a response head throw", () => {
  const piece = fc.oneof(
    fc.constantFrom("HTTP/1.1 ", "200", " OK", "\r\n", "\n", "A: 1", "Content-Length: 1"),
    fc.string({ unit: "binary", maxLength: 4 }),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
    const text = pieces.join("");
    const { result, error } = parse(text);
    assert.ok(result === -1 || result === -2 || result > 0);
    assert.equal(error !== "", result === -2);
  }));
});
