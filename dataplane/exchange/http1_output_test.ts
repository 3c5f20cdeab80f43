import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { FakeConnection } from "../../tests/support/fake_transport.ts";
import { BodyReader } from "../http1/body_reader.ts";
import { parseResponse } from "../http1/parse_response.ts";
import { ResponseHead } from "../message/response_head.ts";
import { Http1Output } from "./http1_output.ts";

/** Notes the memory of what is written. */
class Watched extends FakeConnection {
  readonly memories = new Set<ArrayBufferLike>();

  override write(bytes: Uint8Array): boolean {
    this.memories.add(bytes.buffer);
    return super.write(bytes);
  }
  override writeBoth(first: Uint8Array, second: Uint8Array): boolean {
    this.memories.add(first.buffer).add(second.buffer);
    return super.writeBoth(first, second);
  }
}

/** The head of an answer whose body has no length. */
function unsized(): ResponseHead {
  const head = new ResponseHead(10);
  const bytes = Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "latin1");
  assert.ok(parseResponse(head, bytes, 0, bytes.length, "GET") > 0);
  return head;
}

/** Content of an answer as its client reads it. */
function contentOf(wire: Buffer): Buffer {
  const body = new BodyReader();
  body.beginChunked();
  const content: Buffer[] = [];
  let at = wire.indexOf("\r\n\r\n") + 4;
  while (!body.done) {
    assert.ok(at < wire.length, "the body does not end");
    at = body.read(wire, at);
    assert.ok(at >= 0, "malformed chunks");
    if (body.data !== null) content.push(Buffer.from(body.data));
  }
  assert.equal(at, wire.length, "bytes behind the body");
  return Buffer.concat(content);
}

test("property: pieces of any size arrive as one chunked body", () => {
  const sizes = fc.array(fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.boolean()), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(fc.property(sizes, fc.boolean(), (list, endsAlone) => {
    const connection = new FakeConnection();
    const output = new Http1Output(connection);
    const pieces = list.map(([size], i) => Buffer.alloc(size, `${i};`));
    list.forEach(([, more], i) => {
      const ended = !endsAlone && i === list.length - 1;
      const held = more && !ended;
      if (i === 0) output.sendHead(unsized(), true, "keep", pieces[0], ended, held);
      else output.sendBody(pieces[i], ended, held);
    });
    if (endsAlone) output.sendBody(null, true, false);
    const content = contentOf(Buffer.from(connection.take(), "latin1"));
    assert.ok(content.equals(Buffer.concat(pieces)));
  }));
});

test("bug: a large piece was copied into its chunk, and the copies cost collections", () => {
  const connection = new Watched();
  const output = new Http1Output(connection);
  const [first, second] = [Buffer.alloc(50_000, "a"), Buffer.alloc(50_000, "b")];
  output.sendHead(unsized(), true, "keep", first, false, false);
  output.sendBody(second, false, false);
  assert.ok(connection.memories.has(first.buffer));
  assert.ok(connection.memories.has(second.buffer));
  assert.ok(connection.take().endsWith("b\r\n"), "the chunk is complete");
});
