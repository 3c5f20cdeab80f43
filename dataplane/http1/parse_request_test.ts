import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { text as textOf } from "../message/bytes.ts";
import { type HeadRefusal, REFUSAL_STATUS, RequestHead } from "../message/request_head.ts";
import { parseRequest } from "./parse_request.ts";

/** Fields of the parsers under test: small, so that the limit is easy to reach. */
const FIELDS = 16;

interface Outcome {
  readonly result: number;
  readonly refusal: HeadRefusal | null;
}

function parse(text: string): { head: RequestHead } & Outcome {
  const head = new RequestHead(FIELDS);
  const bytes = Buffer.from(text, "latin1");
  const result = parseRequest(head, bytes, 0, bytes.length);
  return { head, result, refusal: head.refusal };
}

/** The outcome when bytes arrive up to `first`, and the rest later. */
function parseSplit(bytes: Buffer, first: number): Outcome {
  const head = new RequestHead(FIELDS);
  const early = parseRequest(head, bytes.subarray(0, first), 0, first);
  if (early !== -1) return { result: early, refusal: head.refusal };
  return { result: parseRequest(head, bytes, 0, bytes.length), refusal: head.refusal };
}

const get = (fields: string) => `GET /a HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
const post = (fields: string) => `POST /a HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;

/** Heads that two parsers could read differently, or that no client sends, with what each must become. */
const REFUSED: readonly [string, string, HeadRefusal][] = [
  ["CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "bad_framing"],
  ["TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "bad_framing"],
  ["CL 0 and TE", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), "bad_framing"],
  ["two different CL", post("Content-Length: 5\r\nContent-Length: 6\r\n"), "bad_framing"],
  ["two equal CL", post("Content-Length: 5\r\nContent-Length: 5\r\n"), "bad_framing"],
  ["CL list", post("Content-Length: 5, 5\r\n"), "bad_framing"],
  ["CL with sign", post("Content-Length: +5\r\n"), "bad_framing"],
  ["CL negative", post("Content-Length: -5\r\n"), "bad_framing"],
  ["CL hexadecimal", post("Content-Length: 0x5\r\n"), "bad_framing"],
  ["CL with fraction", post("Content-Length: 5.0\r\n"), "bad_framing"],
  ["CL with inner space", post("Content-Length: 5 5\r\n"), "bad_framing"],
  ["CL with underscore digits", post("Content-Length: 1_0\r\n"), "bad_framing"],
  ["CL empty", post("Content-Length:\r\n"), "bad_framing"],
  ["CL beyond exact integers", post("Content-Length: 99999999999999999999\r\n"), "bad_framing"],
  ["TE identity", post("Transfer-Encoding: identity\r\n"), "bad_framing"],
  ["TE gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), "bad_framing"],
  ["TE chunked, gzip", post("Transfer-Encoding: chunked, gzip\r\n"), "bad_framing"],
  ["TE chunked twice in one", post("Transfer-Encoding: chunked, chunked\r\n"), "bad_framing"],
  [
    "TE chunked on two lines",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    "bad_framing",
  ],
  ["TE xchunked", post("Transfer-Encoding: xchunked\r\n"), "bad_framing"],
  ["TE quoted", post('Transfer-Encoding: "chunked"\r\n'), "bad_framing"],
  ["TE with parameter", post("Transfer-Encoding: chunked;q=1\r\n"), "bad_framing"],
  ["TE with trailing comma", post("Transfer-Encoding: chunked,\r\n"), "bad_framing"],
  ["TE with obs-text", post("Transfer-Encoding: chunked\xa0\r\n"), "bad_framing"],
  ["TE empty", post("Transfer-Encoding:\r\n"), "bad_framing"],
  [
    "TE in HTTP/1.0",
    "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    "bad_framing",
  ],
  ["vertical tab in TE", post("Transfer-Encoding: \x0bchunked\r\n"), "bad_header"],
  ["space before colon", post("Content-Length : 5\r\n"), "bad_header"],
  ["tab before colon", post("Transfer-Encoding\t: chunked\r\n"), "bad_header"],
  ["space in name", get("X Y: 1\r\n"), "bad_header"],
  ["empty name", get(": 1\r\n"), "bad_header"],
  ["no colon", get("nonsense\r\n"), "bad_header"],
  ["bare LF after a field", get("A: 1\nB: 2\r\n"), "bad_header"],
  ["bare CR in a value", get("A: 1\rB: 2\r\n"), "bad_header"],
  ["CR CR LF", get("A: 1\r\r\n"), "bad_header"],
  ["bare LF as the end", "GET / HTTP/1.1\r\nHost: h\r\n\nGET /x HTTP/1.1\r\n\r\n", "bad_header"],
  ["bare LF after the request line", "GET / HTTP/1.1\nHost: h\n\n", "bad_request_line"],
  ["obs-fold by space", get("A: 1\r\n B\r\n"), "bad_header"],
  ["obs-fold by tab", get("A: 1\r\n\tB\r\n"), "bad_header"],
  ["space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "bad_header"],
  ["NUL in a value", get("A: 1\0\r\n"), "bad_header"],
  ["NUL in a name", get("A\0: 1\r\n"), "bad_header"],
  ["DEL in a value", get("A: \x7f\r\n"), "bad_header"],
  ["obs-text in a name", get("\xc4: 1\r\n"), "bad_header"],
  ["two Hosts", get("Host: h\r\n"), "bad_host"],
  ["two different Hosts", get("Host: other\r\n"), "bad_host"],
  ["no Host", "GET / HTTP/1.1\r\n\r\n", "bad_host"],
  ["empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", "bad_host"],
  ["Host with a path", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", "bad_host"],
  ["Host with user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", "bad_host"],
  ["Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "bad_host"],
  ["Host against the target", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "bad_host"],
  ["absolute target without Host", "GET http://a/ HTTP/1.1\r\n\r\n", "bad_host"],
  ["Connection names Host", get("Connection: host\r\n"), "bad_connection"],
  [
    "Connection names CL",
    post("Content-Length: 1\r\nConnection: content-length\r\n"),
    "bad_connection",
  ],
  ["Connection names TE", get("Connection: close, Transfer-Encoding\r\n"), "bad_connection"],
  ["Connection names Authorization", get("Connection: authorization\r\n"), "bad_connection"],
  ["Connection names Cookie", get("Connection: a,\tCookie ,b\r\n"), "bad_connection"],
  ["Connection names XFF", get("Connection: X-Forwarded-For\r\n"), "bad_connection"],
  ["Connection names XFCC", get("Connection: x-forwarded-client-cert\r\n"), "bad_connection"],
  [
    "second Connection names X-Real-IP",
    get("Connection: close\r\nConnection: x-real-ip\r\n"),
    "bad_connection",
  ],
  ["X_Forwarded_For", get("X_Forwarded_For: 1.2.3.4\r\n"), "bad_header"],
  ["X-Forwarded_For", get("X-Forwarded_For: 1.2.3.4\r\n"), "bad_header"],
  ["CONTENT_LENGTH", get("CONTENT_LENGTH: 5\r\n"), "bad_header"],
  ["transfer_encoding", get("transfer_encoding: chunked\r\n"), "bad_header"],
  ["x_real_ip", get("x_real_ip: 1.2.3.4\r\n"), "bad_header"],
  ["unknown expectation", get("Expect: 200-ok\r\n"), "expectation"],
  ["HTTP/0.9", "GET /\r\n", "bad_request_line"],
  ["HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", "bad_version"],
  ["HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "bad_version"],
  ["HTTP/1.10", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["two spaces before the target", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["two spaces before the version", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["tab as separator", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["trailing space", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "bad_request_line"],
  ["leading space", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["brackets in the method", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["obs-text in the target", "GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["asterisk with GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["other scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["user in the target", "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request_line"],
  ["too many fields", get("A: 1\r\n".repeat(FIELDS)), "too_many_headers"],
];

for (const [name, text, refusal] of REFUSED) {
  Deno.test(`request head refused: ${name}`, () => {
    assert.deepEqual({ result: parse(text).result, refusal: parse(text).refusal }, {
      result: -2,
      refusal,
    });
    assert.ok(REFUSAL_STATUS[refusal] >= 400);
  });
}

const ACCEPTED: readonly [string, string][] = [
  ["plain", get("")],
  ["empty value", get("A:\r\n")],
  ["obs-text value", get("A: \xe4\xff\r\n")],
  ["optional space around a value", post("Content-Length: \t 5 \t\r\n")],
  ["chunked in capitals", post("Transfer-Encoding: CHUNKED\r\n")],
  ["unrelated underscore", get("my_field: 1\r\n")],
  ["every allowed Connection token", get("Connection: keep-alive, , X-Mine,\tupgrade\r\n")],
  ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n"],
  ["absolute target", "GET http://H:80/a?b HTTP/1.1\r\nHost: h:80\r\n\r\n"],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"],
  ["as many fields as allowed", get("A: 1\r\n".repeat(FIELDS - 1))],
];

for (const [name, text] of ACCEPTED) {
  Deno.test(`request head accepted: ${name}`, () => {
    const { result, refusal } = parse(text);
    assert.deepEqual({ result, refusal }, { result: text.length, refusal: null });
  });
}

Deno.test("a head split at any byte gives what the whole gives", () => {
  for (const text of [...REFUSED.map((row) => row[1]), ...ACCEPTED.map((row) => row[1])]) {
    const bytes = Buffer.from(text, "latin1");
    const whole = parse(text);
    for (let at = 0; at < bytes.length; at++) {
      const split = parseSplit(bytes, at);
      assert.deepEqual(
        split,
        { result: whole.result, refusal: whole.refusal },
        `${JSON.stringify(text)} split at ${at}`,
      );
    }
  }
});

Deno.test("bug: a method over 32 bytes is refused only when it arrives in pieces", () => {
  const bytes = Buffer.from(`${"M".repeat(40)} / HTTP/1.1\r\nHost: h\r\n\r\n`);
  const whole = parse(bytes.toString());
  assert.deepEqual(parseSplit(bytes, 36), { result: whole.result, refusal: whole.refusal });
});

Deno.test("bug: an absolute target's authority is checked like a Host", () => {
  for (const authority of ["a\\b", "a|b", '"', "{h}"]) {
    assert.equal(parse(`GET http://${authority}/ HTTP/1.0\r\n\r\n`).refusal, "bad_host", authority);
  }
});

Deno.test("bug: a fragment in the target is refused, as backends cut it off the path", () => {
  for (const target of ["/admin#", "/admin#/../public", "/a?b#c"]) {
    assert.equal(parse(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`).refusal, "bad_request_line");
  }
});

Deno.test("bug: a Host port that is not a number is refused", () => {
  for (const host of ["h:x", "h:80:90", "h:8_0", "[::1", "[::1]x"]) {
    assert.equal(parse(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).refusal, "bad_host", host);
  }
});

Deno.test("bug: a Connection field that names X-Request-Id leaves no id that is then dropped", () => {
  const { head, result } = parse(get("X-Request-Id: 7\r\nConnection: x-request-id\r\n"));
  assert.ok(result > 0);
  // Without the client's id on the wire the engine must know that it has to add its own.
  assert.equal(head.requestIdIndex, -1);
});

Deno.test("the facts of a head are those of its text", () => {
  const { head } = parse(
    "PUT /a/b?c=d?e HTTP/1.1\r\nHost: Ex.Com:81\r\nExpect: 100-Continue\r\nConnection: Close\r\n" +
      "X-Request-Id: id\r\nContent-Length: 12\r\nA: 1\r\na: 2\r\n\r\n",
  );
  assert.equal(head.method, "PUT");
  assert.equal(textOf(head.buffer, head.targetStart, head.targetEnd), "/a/b?c=d?e");
  assert.equal(head.host, "Ex.Com:81");
  assert.equal(head.expectContinue, true);
  assert.deepEqual(head.framing, {
    contentLength: 12,
    unsized: false,
    close: true,
    keepAlive: false,
    upgrade: false,
  });
  assert.equal(head.hasBody, true);
  assert.equal(head.requestIdIndex, 3);
  assert.equal(head.block.get("a"), "1, 2");
  assert.equal(head.block.get("b"), null);
});

Deno.test("an absolute target gives host and origin form", () => {
  const { head } = parse("GET https://H?q HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal(head.absolute, true);
  assert.equal(head.host, "H");
  assert.equal(textOf(head.buffer, head.targetStart, head.targetEnd), "?q");
});

Deno.test("HTTP/1.0 ignores Expect: the interim answer would break it", () => {
  const { head } = parse("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
  assert.equal(head.expectContinue, false);
});

Deno.test("arbitrary bytes never throw and never consume more than there is", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "GET ",
      "/",
      " HTTP/1.1",
      "\r\n",
      "\n",
      "\r",
      "Host: h",
      ":",
      "Content-Length: 1",
    ),
    fc.string({ unit: "binary", maxLength: 4 }),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
    const text = pieces.join("");
    const { result, refusal } = parse(text);
    assert.ok(
      result === -1 || result === -2 ||
        (result > 0 && result <= Buffer.from(text, "latin1").length),
    );
    assert.equal(refusal !== null, result === -2);
  }));
});

Deno.test("whatever parses, parses the same behind other bytes and in pieces", () => {
  const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/).map((name) => `X-${name}`);
  const value = fc.stringMatching(/^[!-~]([ -~]{0,8}[!-~])?$/);
  const fields = fc.array(fc.tuple(token, value), { maxLength: 6 });
  fc.assert(fc.property(fields, fc.nat(), fc.nat(20), (lines, cut, offset) => {
    const text = get(lines.map(([name, val]) => `${name}: ${val}\r\n`).join(""));
    const bytes = Buffer.from("#".repeat(offset) + text);
    const head = new RequestHead(FIELDS);
    assert.equal(parseRequest(head, bytes, offset, offset + cut % text.length), -1);
    assert.equal(parseRequest(head, bytes, offset, bytes.length), bytes.length);
    assert.equal(head.block.count, lines.length + 1);
    lines.forEach(([name, val], i) => {
      assert.equal(head.block.name(i + 1), name.toLowerCase());
      assert.equal(head.block.value(i + 1), val);
    });
  }));
});
