import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { writeResponse } from "../http1/write_response.ts";
import { parseResponse } from "../http1/parse_response.ts";
import { editHead, editResponse, fieldEdit, FieldEditError, joinEdits } from "./field_edit.ts";
import { ResponseHead } from "./response_head.ts";

const HEAD = "GET / HTTP/1.1\r\nhost: h\r\nX-A: 1\r\nx-b: 2\r\nx-a: 3\r\n\r\n";

function edited(head: string, remove: string[], add: [string, string][]): string {
  const edit = fieldEdit(remove, add.map(([name, value]) => ({ name, value })))!;
  return editHead(Buffer.from(head, "latin1"), edit).toString("latin1");
}

Deno.test("fields are removed whatever their case, and lines are added behind the rest", () => {
  assert.equal(
    edited(HEAD, ["X-a"], [["X-C", "4"], ["x-c", "5"]]),
    "GET / HTTP/1.1\r\nhost: h\r\nx-b: 2\r\nx-c: 4\r\nx-c: 5\r\n\r\n",
  );
  assert.equal(edited("GET / HTTP/1.1\r\n\r\n", [], [["x", ""]]), "GET / HTTP/1.1\r\nx: \r\n\r\n");
  assert.equal(fieldEdit([], []), null);
});

Deno.test("framing, the hop and what is no field cannot be changed", () => {
  const refused = ["content-length", "Transfer-Encoding", "connection", "te", "trailer", "upgrade"];
  for (const name of [...refused, "keep-alive", "a b", "", "x:", "ü"]) {
    assert.throws(() => fieldEdit([name], []), FieldEditError, name);
    assert.throws(() => fieldEdit([], [{ name, value: "v" }]), FieldEditError, name);
  }
  for (const value of ["a\r\nb: c", "a\n", "\0", " a", "a\t", "\x7f"]) {
    assert.throws(() => fieldEdit([], [{ name: "x", value }]), FieldEditError, value);
  }
  assert.ok(fieldEdit([], [{ name: "x", value: "a b\tc ü" }]) !== null);
});

/** What an edit means, on a list of fields. */
function applied(fields: [string, string][], remove: string[], add: [string, string][]) {
  const gone = new Set(remove.map((name) => name.toLowerCase()));
  const kept = fields.filter(([name]) => !gone.has(name.toLowerCase()));
  return [...kept, ...add].map(([name, value]) => [name.toLowerCase(), value]);
}

const names = fc.constantFrom("x-a", "X-B", "x-c", "content-type");
const field = fc.tuple(names, fc.stringMatching(/^[a-z0-9]{0,8}$/));
const fields = fc.array(field, { maxLength: 5 });
const edits = fc.record({ remove: fc.array(names, { maxLength: 3 }), add: fields });

function lines(list: [string, string][]): string {
  return list.map(([name, value]) => `${name}: ${value}\r\n`).join("");
}

function parse(text: string): ResponseHead {
  const head = new ResponseHead(64);
  const bytes = Buffer.from(`HTTP/1.1 ${text}\r\n`, "latin1");
  assert.ok(parseResponse(head, bytes, 0, bytes.length, "GET") > 0);
  return head;
}

/** The fields of an answer as a client gets them. */
function fieldsOf(head: ResponseHead): string[][] {
  const text = writeResponse(head, false, "keep", null).toString("latin1");
  return text.split("\r\n").slice(1, -2).map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
}

Deno.test("an answer's fields change as a list would, one change behind the other", () => {
  fc.assert(fc.property(fields, edits, edits, fc.boolean(), (before, first, second, joined) => {
    const compile = ({ remove, add }: typeof first) =>
      fieldEdit(remove, add.map(([name, value]) => ({ name, value })));
    const both = [compile(first), compile(second)];
    // Joined beforehand or made one by one: the same comes out.
    const made = joined ? [joinEdits(both[0], both[1])] : both;
    const head = parse(
      `200 Fine\r\nContent-Length: 2\r\nConnection: x-z\r\nx-z: 1\r\n${lines(before)}`,
    );
    editResponse(head, made.filter((edit) => edit !== null));
    const expected = applied(
      applied([["content-length", "2"], ...before], first.remove, first.add) as [string, string][],
      second.remove,
      second.add,
    );
    assert.deepEqual(fieldsOf(head), expected);
    const status = head.buffer.subarray(head.statusStart, head.statusEnd).toString("latin1");
    assert.equal(status, " 200 Fine\r\n");
    assert.equal(head.framing.contentLength, 2);
  }));
});
