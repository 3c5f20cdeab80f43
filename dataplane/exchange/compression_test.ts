import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseResponse } from "../http1/parse_response.ts";
import { writeResponse } from "../http1/write_response.ts";
import { ResponseHead } from "../message/response_head.ts";
import { type Coding, compression } from "../router/compression.ts";
import { chooseCoding, compresses } from "./compression.ts";

Deno.test("the coding that the client wants most of those that are offered", () => {
  const offered: Coding[] = ["zstd", "br", "gzip"];
  const cases: [string | null, Coding | null][] = [
    [null, null],
    ["", null],
    ["identity", null],
    ["gzip", "gzip"],
    ["GZIP", "gzip"],
    ["gzip, br", "br"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip;q=1, br;q=0.5", "gzip"],
    ["br;q=0, gzip;q=0.1", "gzip"],
    ["gzip;q=0", null],
    ["*", "zstd"],
    ["*;q=0", null],
    ["*;q=0.5, zstd;q=0", "br"],
    ["gzip;q=0.5, identity", null],
    ["gzip;q=nonsense", null],
    ["gzip;q=1.5", null],
    ["x-gzip", null],
    ["gzip ; q=0.8 , br ; q=0.7", "gzip"],
  ];
  for (const [field, expected] of cases) {
    assert.equal(chooseCoding(field, offered), expected, String(field));
  }
});

/** What an answer's head becomes. */
function shaped(status: string, fields: string, coding: Coding | null = "gzip", method = "GET") {
  const head = new ResponseHead(64);
  const bytes = Buffer.from(`HTTP/1.1 ${status}\r\n${fields}\r\n`, "latin1");
  assert.ok(parseResponse(head, bytes, 0, bytes.length, method) > 0);
  const settings = compression(["gzip"], 6, 100, [], ["text/secret"]);
  const now = compresses(head, settings, coding);
  const text = writeResponse(head, now, "keep", null).toString("latin1");
  return { now, fields: text.split("\r\n").slice(1, -2).map((line) => line.toLowerCase()) };
}

const TEXT = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 1000\r\n";

/** Of the bytes before they are compressed. */
const DIGESTS = "Content-MD5: x\r\nDigest: x\r\nContent-Digest: x\r\nRepr-Digest: x\r\n";

Deno.test("what is compressed loses its length, digests and strong tag, and says so", () => {
  const { now, fields } = shaped(
    "200 OK",
    `${TEXT}ETag: "a"\r\nAccept-Ranges: bytes\r\n${DIGESTS}`,
  );
  assert.equal(now, true);
  assert.deepEqual(fields, [
    "content-type: text/plain; charset=utf-8",
    "vary: accept-encoding",
    "content-encoding: gzip",
    'etag: w/"a"',
    "transfer-encoding: chunked",
  ]);
});

Deno.test("what should not be compressed is passed on as it is", () => {
  const plain: [string, string, Coding | null, string?][] = [
    ["200 OK", "Content-Type: image/png\r\nContent-Length: 1000\r\n", "gzip"],
    ["200 OK", "Content-Type: text/secret\r\nContent-Length: 1000\r\n", "gzip"],
    ["200 OK", "Content-Type: text/event-stream\r\n", "gzip"],
    ["200 OK", "Content-Length: 1000\r\n", "gzip"],
    ["200 OK", "Content-Type: text/plain\r\nContent-Length: 99\r\n", "gzip"],
    ["200 OK", `${TEXT}Content-Encoding: br\r\n`, "gzip"],
    ["206 Partial", TEXT, "gzip"],
    ["304 Not Modified", TEXT, "gzip"],
    ["200 OK", TEXT, "gzip", "HEAD"],
  ];
  for (const [status, fields, coding, method] of plain) {
    const out = shaped(status, fields, coding, method);
    assert.equal(out.now, false, fields);
    assert.ok(!out.fields.some((line) => line.startsWith("vary")), fields);
  }
  // Caches must know that it depends on the client all the same.
  for (
    const [fields, coding] of [[TEXT, null], [
      `${TEXT}Cache-Control: no-transform\r\n`,
      "gzip",
    ]] as const
  ) {
    const out = shaped("200 OK", fields, coding);
    assert.equal(out.now, false);
    assert.ok(out.fields.includes("vary: accept-encoding"));
    assert.ok(out.fields.includes("content-length: 1000"));
  }
});
