import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { refusalAnswer } from "../message/local_answer.ts";
import { BodyKind, ResponseHead } from "../message/response_head.ts";
import { parseResponse } from "./parse_response.ts";
import { writeLocal, writeResponse } from "./write_response.ts";

function parse(bytes: Buffer, method = "GET"): { head: ResponseHead; end: number } {
  const head = new ResponseHead(64);
  const end = parseResponse(head, bytes, 0, bytes.length, method);
  assert.ok(end > 0, `${head.error}: ${bytes.toString("latin1")}`);
  return { head, end };
}

const head = (text: string) => parse(Buffer.from(text, "latin1")).head;

Deno.test("a backend's head passes but for what belongs to its hop", () => {
  const answer = head(
    "HTTP/1.0 201 Made\r\nA: 1\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n" +
      "Proxy-Connection: x\r\nUpgrade: h2c\r\nTrailer: A\r\nContent-Length: 2\r\nSet-Cookie: a\r\n\r\n",
  );
  assert.equal(
    writeResponse(answer, false, "keep", Buffer.from("hi")).toString(),
    "HTTP/1.1 201 Made\r\nA: 1\r\nContent-Length: 2\r\nSet-Cookie: a\r\n\r\nhi",
  );
});

Deno.test("chunked and the fate of the connection are said by us", () => {
  const answer = head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  assert.equal(
    writeResponse(answer, true, "close", null).toString(),
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
  );
  assert.equal(
    writeResponse(answer, false, "keep_1_0", null).toString(),
    "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n",
  );
  assert.equal(writeResponse(answer, false, "keep", null).toString(), "HTTP/1.1 200 OK\r\n\r\n");
});

Deno.test("a 101 that a client asked for keeps its Upgrade and says so in Connection", () => {
  const answer = head(
    "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nA: 1\r\n\r\n",
  );
  assert.equal(
    writeResponse(answer, false, "upgrade", null).toString(),
    "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nA: 1\r\nconnection: upgrade\r\n\r\n",
  );
});

for (const status of [100, 103, 204]) {
  Deno.test(`bug: a ${status} passes without Content-Length, which would steal the next answer`, () => {
    const answer = head(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`);
    assert.ok(!/content-length/i.test(writeResponse(answer, false, "keep", null).toString()));
  });
}

Deno.test("whatever a backend sends, what is written parses again and says the same", () => {
  const value = fc.stringMatching(
    /^([\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]{0,9}[\x21-\x7e\x80-\xff])?)?$/,
  );
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,9}$/).map((text) => `X-${text}`);
  const fields = fc.array(fc.tuple(name, value), { maxLength: 10 });
  const status = fc.integer({ min: 200, max: 599 });
  const length = fc.constantFrom("", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n");
  fc.assert(fc.property(status, fields, length, value, (code, lines, framing, reason) => {
    const text = `HTTP/1.1 ${code} ${reason}\r\n` +
      lines.map(([n, v]) => `${n}: ${v}\r\n`).join("") + framing + "\r\n";
    const answer = head(text);
    const chunked = answer.body === BodyKind.Framed || answer.body === BodyKind.UntilClose;
    const { head: again } = parse(writeResponse(answer, chunked, "keep", null));
    assert.equal(again.status, code);
    assert.equal(again.reusable, true, "every answer to an HTTP/1.1 client has an end");
    assert.equal(again.body, chunked ? BodyKind.Framed : answer.body);
    lines.forEach(([n, v], i) => {
      assert.deepEqual([again.block.name(i), again.block.value(i)], [n.toLowerCase(), v]);
    });
  }));
});

Deno.test("our own answers are valid, sized and say why", () => {
  for (const status of [400, 404, 408, 414, 417, 421, 431, 500, 501, 502, 503, 504, 505]) {
    const bytes = writeLocal(refusalAnswer(status, "some_reason"), "date", "close", false);
    const { head: answer, end } = parse(bytes);
    assert.equal(answer.status, status);
    assert.equal(bytes.toString("latin1", end), `${status} some_reason\n`);
    assert.equal(answer.framing.contentLength, bytes.length - end);
    assert.equal(answer.framing.close, true);
  }
  const { head: busy } = parse(writeLocal(refusalAnswer(503, "r"), "d", "keep", false));
  assert.equal(busy.block.get("retry-after"), "1");
  assert.equal(busy.framing.close, false);
  assert.match(
    parse(writeLocal(refusalAnswer(405, "r"), "d", "keep", false)).head.block.get("allow")!,
    /GET/,
  );
});

Deno.test("our own answer to HEAD has the length but not the body", () => {
  const bytes = writeLocal(refusalAnswer(404, "no_route"), "date", "keep", true);
  const { head: answer, end } = parse(bytes, "HEAD");
  assert.equal(end, bytes.length);
  assert.equal(answer.framing.contentLength, "404 no_route\n".length);
});
