/** What reading fields costs, in characters, bytes and copies: at most in proportion to their length. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { bytesRead, charactersRead } from "../../tests/support/character_meter.ts";
import { copiedBytes } from "../../tests/support/copied_bytes.ts";
import { type Harness, harness } from "../../tests/support/exchange_harness.ts";
import { fieldReaders, READ_FIELDS, READER_PATHS } from "../../tests/support/field_readers.ts";
import { frameClient, headersFrame, pseudo } from "../../tests/support/http2_frames.ts";
import { LIMIT } from "../config/defaults.ts";
import { parseRequest } from "../http1/parse_request.ts";
import { HeaderBlock } from "../message/header_block.ts";
import { RequestHead } from "../message/request_head.ts";
import { clientAddress } from "./origin.ts";

/** Values are made of these: separators, elements and halves of elements of all fields. */
const FILLINGS = [
  ...[",", ";", "=", " ", "\t", '"', ":", ".", "-", "/", "a", "0", "\xff", ", ", "; ", ";=", "a,"],
  ...["user;", "user=", "user=;", "a=b; ", '="', "gzip,", "gzip;q=0.1,", "gzip;", "br;q=1;q=0,"],
  ...["*;q=0.001,", "10.0.0.1,", "10.0.0.1:80,", "[2001:db8::1],", "1.1.1.1:", "[", "1:", "for=a,"],
  ...["for=10.0.0.1;proto=http,", "bytes=0-1,", '"x",', 'W/"x",', "trailers,", "x;q=1,", "1.1 a,"],
  ...[".example.com", "a.", "A==", "close,"],
];
/** Beginnings of values, for fields whose values begin with a scheme or name. */
const STARTS: Readonly<Record<string, readonly string[]>> = {
  "Accept-Encoding": ["gzip;q=", "identity;"],
  Authorization: ["Bearer ", "Basic "],
  Cookie: ["user=", 'edge="'],
  Origin: ["https://"],
  Range: ["bytes="],
  Traceparent: ["00-", `00-${"1".repeat(32)}-${"1".repeat(16)}-01-`],
  "X-Forwarded-For": ["["],
};
/** Fields that policies of all paths read. */
const CREDENTIALS = ["Authorization", "Cookie"];
/** Bytes of a short value; a long one has four times as many. */
const SIZE = 10_000;
/** Characters whose number does not depend on values: other fields, and trusted elements up to their limit. */
const CONSTANT = 16_000;
/** Passes over a value that all parts of `fieldReaders` may take together. */
const PASSES = 24;

/** Characters read for a request, its line of the access log included. */
function costOf(edge: Harness, path: string, fields: string): number {
  const client = edge.client();
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`, "latin1");
  return charactersRead(() => {
    client.receive(bytes);
    client.gone();
    edge.engine.accessLog.flush();
  });
}

for (const field of READ_FIELDS.filter((name) => name !== "Host")) {
  Deno.test(`the cost of ${field} grows with its length, and no faster`, () => {
    const edge = fieldReaders();
    for (const path of CREDENTIALS.includes(field) ? READER_PATHS : ["/open", "/forward"]) {
      for (const start of ["", ...(STARTS[field] ?? [])]) {
        for (const filling of FILLINGS) {
          const cost = (size: number) =>
            costOf(edge, path, `${field}: ${start}${filling.repeat(size / filling.length)}\r\n`);
          const [small, large] = [cost(SIZE), cost(4 * SIZE)];
          const what = `${path} ${start}${filling}: ${small} and ${large} characters`;
          assert.ok(large <= 4.2 * small + CONSTANT, what);
          assert.ok(large <= PASSES * 4 * SIZE + CONSTANT, what);
        }
      }
    }
  });
}

Deno.test("the cost of fields of one length of name grows with their bytes, and no faster", () => {
  const edge = fieldReaders();
  for (const name of ["x-key", "cookie", "x-client", "x-forwarded-for", "accept-encoding"]) {
    for (const value of ["", "1", "10.0.0.1", "user"]) {
      // Names that differ from the one that is asked for in their last character, or not at all.
      for (const other of [name, `${name.slice(0, -1)}~`]) {
        const line = `${other}: ${value}\r\n`;
        const cost = (count: number) => costOf(edge, "/open", line.repeat(count));
        const [few, many] = [cost(30), cost(120)];
        assert.ok(many <= 4.2 * few + CONSTANT, `${line} ${few} and ${many} characters`);
        assert.ok(many <= PASSES * 120 * line.length + CONSTANT, `${line} ${many} characters`);
      }
    }
  }
});

Deno.test("bug: fields were found by copies of all names of the same length", () => {
  const lines = "X-KEZ: a\r\n".repeat(100) + "X-KEY: b\r\n\r\n";
  const block = new HeaderBlock(LIMIT.fields);
  const buffer = Buffer.from(lines, "latin1");
  assert.equal(block.parse(buffer, 0, buffer.length), buffer.length);
  let found: string | null = null;
  const read = charactersRead(() => found = block.get("x-key"));
  assert.equal(found, "b");
  assert.ok(read <= 505 + 1, `${read} characters for 101 names of 5 and a value`);
});

Deno.test("a request head is read a bounded number of times", () => {
  const fillings = [
    ["Connection: ", "a,".repeat(30), "\r\n"],
    ["Connection: ", "x".repeat(3_000) + ",", "\r\n"],
    ["TE: ", "trailers,".repeat(300), "\r\n"],
    ["TE: trailers\r\n", "TE: trailers\r\n".repeat(60), ""],
    ["Via: ", "1.1 a,".repeat(300), "\r\n"],
    ["x_", "_".repeat(3_000), ": \r\n"],
    ["", "Content-Typf: application/grpc\r\n".repeat(100), ""],
    ["a: ", " \t".repeat(2_000), "\r\n"],
  ];
  const head = new RequestHead(LIMIT.fields);
  for (const parts of fillings) {
    const text = `GET / HTTP/1.1\r\nHost: h\r\n${parts.join("")}\r\n`;
    const buffer = Buffer.from(text, "latin1");
    const read = bytesRead(buffer, (watched) => {
      assert.equal(parseRequest(head, watched, 0, buffer.length), buffer.length, text.slice(0, 99));
    });
    assert.ok(read <= 6 * buffer.length, `${read} of ${buffer.length}: ${text.slice(0, 99)}`);
  }
});

Deno.test("bug: all elements of X-Forwarded-For were taken apart, and looked up while trusted", () => {
  let asked = 0;
  const trusted = { has: (address: string) => ++asked > 0 && address.startsWith("10.") };
  const chain = "10.0.0.1,".repeat(7_000) + "10.0.0.2";
  const read = charactersRead(() => {
    assert.equal(clientAddress(chain, "10.0.0.9", trusted), "10.0.0.1");
  });
  assert.equal(asked, LIMIT.forwardedHops);
  assert.ok(read <= LIMIT.forwardedHops * 100, `${read} characters`);
  asked = 0;
  const stranger = charactersRead(() => {
    assert.equal(clientAddress(`${chain}, 198.51.100.1`, "10.0.0.9", trusted), "198.51.100.1");
  });
  assert.equal(asked, 1);
  assert.ok(stranger <= 200, `${stranger} characters`);
});

/** Bytes copied for bytes that come one by one. */
function copiedOneByOne(bytes: Buffer, receive: (byte: Buffer) => void): number {
  return copiedBytes(() => {
    for (let at = 0; at < bytes.length; at++) receive(bytes.subarray(at, at + 1));
  });
}

const LONG_FIELD = `x: ${"y".repeat(60_000)}\r\n`;

Deno.test("bug: a head that came byte by byte was copied for each of them", () => {
  const head = Buffer.from(`GET / HTTP/1.1\r\nHost: h\r\n${LONG_FIELD}\r\n`);
  const edge = harness();
  const client = edge.client();
  const copied = copiedOneByOne(head, (byte) => client.receive(byte));
  assert.equal(edge.connects, 1);
  assert.ok(copied <= 10 * head.length, `${copied} of ${head.length} bytes`);
});

Deno.test("bug: pipelined bytes that came one by one were copied for each of them", () => {
  const edge = harness();
  const client = edge.client();
  client.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const next = Buffer.from(`GET / HTTP/1.1\r\nHost: h\r\n${LONG_FIELD}\r\n`);
  const copied = copiedOneByOne(next, (byte) => client.receive(byte));
  assert.ok(copied <= 10 * next.length, `${copied} of ${next.length} bytes`);
  edge.upstream(0).receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert.match(client.take(), /^HTTP\/1.1 200 OK/);
  assert.equal(edge.upstream(0).take().match(/GET \//g)?.length, 2, "both went to the backend");
});

Deno.test("bug: a backend's head that came byte by byte was copied for each of them", () => {
  const edge = harness();
  const client = edge.client();
  client.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const backend = edge.upstream(0);
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${LONG_FIELD}\r\n`);
  const copied = copiedOneByOne(head, (byte) => backend.receive(byte));
  assert.match(client.take(), /^HTTP\/1.1 200 OK/);
  assert.ok(copied <= 10 * head.length, `${copied} of ${head.length} bytes`);
});

Deno.test("bug: an HTTP/2 frame that came byte by byte was copied for each of them", () => {
  const edge = harness();
  const client = frameClient(edge);
  const frame = headersFrame(1, [...pseudo("GET"), ["x", "y".repeat(16_000)]], true);
  const copied = copiedOneByOne(frame, (byte) => client.connection.receive(byte));
  assert.equal(edge.connects, 1);
  assert.ok(copied <= 10 * frame.length, `${copied} of ${frame.length} bytes`);
});
