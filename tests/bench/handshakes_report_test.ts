import assert from "node:assert/strict";
import { parseHandshakes } from "./handshakes_report.ts";

const report = (signs: string, count: number) =>
  `Collecting connection statistics for 1 seconds
${signs}

${count} connections in 0.77s; 1901.30 connections/user sec, bytes read 0
${count} connections in 2 real seconds, 0 bytes read per connection
`;

Deno.test("handshakes of processes side by side are added up", () => {
  const { done, seconds, errors } = parseHandshakes([report("****", 4), report("**", 2)], 1.5);
  assert.deepEqual({ done, seconds, errors }, { done: 6, seconds: 1.5, errors: "" });
});

Deno.test("a handshake that resumed a session is an error", () => {
  assert.equal(parseHandshakes([report("*rr*", 4)], 1).errors, "resumed sessions: 2");
});

Deno.test("what is not a report of openssl is an error", () => {
  assert.throws(() => parseHandshakes(["ERROR"], 1), /not a report/);
});
