import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseRequest } from "../http1/parse_request.ts";
import { RequestHead } from "../message/request_head.ts";
import { grpcTimeout, parseGrpcTimeout } from "./grpc_timeout.ts";

/** Values and milliseconds. */
const VALUES: readonly [string, number][] = [
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3000],
  ["250m", 250],
  ["5000u", 5],
  ["7000000n", 7],
  ["99999999H", 99_999_999 * 3_600_000],
  // Less than the clock can tell is still a time.
  ["1u", 1],
  ["1n", 1],
  ["0S", 1],
  ["00000001S", 1000],
];

for (const [value, expected] of VALUES) {
  Deno.test(`grpc-timeout ${value}`, () => assert.equal(parseGrpcTimeout(value), expected));
}

Deno.test("a malformed value is no timeout", () => {
  const values = [
    "",
    "S",
    "1",
    "1s",
    "1h",
    "1 S",
    " 1S",
    "1S ",
    "-1S",
    "+1S",
    "1.5S",
    "123456789S",
  ];
  for (const value of [...values, "1SS", "0x1S", "1e3S", "1S, 2S", "Infinity"]) {
    assert.equal(parseGrpcTimeout(value), 0, value);
  }
});

Deno.test("the timeout is that of the head, none without the field", () => {
  const head = new RequestHead(8);
  const read = (fields: string) => {
    const bytes = Buffer.from(`POST /s/m HTTP/1.1\r\nHost: h\r\n${fields}\r\n`);
    assert.equal(parseRequest(head, bytes, 0, bytes.length), bytes.length);
    return grpcTimeout(head);
  };
  assert.equal(read("Grpc-Timeout: 3S\r\n"), 3000);
  assert.equal(read(""), 0, "not that of the head before");
});
