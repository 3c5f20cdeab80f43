import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { copiedBytes } from "../../tests/support/copied_bytes.ts";
import { LIMIT } from "../config/defaults.ts";
import { parseClientHello } from "./client_hello.ts";

const vector = (size: number, content: Buffer): Buffer => {
  const length = Buffer.alloc(size);
  length.writeUIntBE(content.length, 0, size);
  return Buffer.concat([length, content]);
};

/** A ClientHello message with a server name and an extension that fills it. */
function helloMessage(serverName: string, filling: number): Buffer {
  const name = vector(2, Buffer.concat([Buffer.of(0), vector(2, Buffer.from(serverName))]));
  const extensions = Buffer.concat([
    ...[Buffer.of(0, 21), vector(2, Buffer.alloc(filling))],
    ...[Buffer.of(0, 0), vector(2, name)],
  ]);
  const body = Buffer.concat([
    ...[Buffer.alloc(34), vector(1, Buffer.alloc(0)), vector(2, Buffer.of(0x13, 0x01))],
    ...[vector(1, Buffer.of(0)), vector(2, extensions)],
  ]);
  return Buffer.concat([Buffer.of(1), vector(3, body)]);
}

/** A message in records of `size` bytes. */
function records(message: Buffer, size: number): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    out.push(Buffer.of(22, 3, 1), vector(2, message.subarray(at, at + size)));
  }
  return Buffer.concat(out);
}

Deno.test("the server name is read from a ClientHello in records of any size", () => {
  for (const [filling, size] of [[0, 1], [0, 7], [200, 16_384], [50_000, 16_384], [4_000, 100]]) {
    const bytes = records(helloMessage("a.example.com", filling), size);
    const reading = parseClientHello(bytes);
    assert.deepEqual(reading, { kind: "hello", serverName: "a.example.com" }, `${size}`);
  }
});

Deno.test("property: a cut ClientHello is incomplete, and stays so below the bytes that it wants", () => {
  const bytes = records(helloMessage("a.example.com", 10), 11);
  for (let length = 0; length < bytes.length; length++) {
    const reading = parseClientHello(bytes.subarray(0, length));
    assert.ok(reading.kind === "incomplete" && reading.wanted > length, `${length}`);
    for (let more = length; more < reading.wanted; more++) {
      assert.equal(parseClientHello(bytes.subarray(0, more)).kind, "incomplete");
    }
  }
});

Deno.test("bug: a ClientHello in records of a byte was joined anew for each of them", () => {
  const message = helloMessage("a.example.com", 10_000);
  for (const size of [1, 20, 100, 16_384]) {
    const bytes = records(message, size);
    for (const length of [bytes.length, bytes.length - 1]) {
      const copied = copiedBytes(() => parseClientHello(bytes.subarray(0, length)));
      assert.ok(copied <= 2 * bytes.length, `${copied} of ${length} bytes were copied`);
    }
  }
  const most = records(helloMessage("a.example.com", 0), 1);
  assert.ok(most.length / 6 < LIMIT.helloRecords, "a name alone may come in records of a byte");
  assert.equal(parseClientHello(records(message, 1)).kind, "invalid");
});
