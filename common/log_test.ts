import assert from "node:assert/strict";
import { createLogger, humanLine } from "./log.ts";

Deno.test("a line for people: time, level, program, message, fields", () => {
  const json = '{"level":40,"time":"2030-01-02T03:04:05.678Z","program":"agent","msg":"lost",' +
    '"peer":"x","tries":2,"error":{"code":"E"}}';
  assert.equal(humanLine(json), '03:04:05 warn  agent: lost peer=x tries=2 error={"code":"E"}\n');
});

Deno.test("the logger writes JSON lines, or lines for people", () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  createLogger("p", "info", { human: false, write }).child({ a: 1 }).info("hello");
  const record = JSON.parse(lines[0]);
  assert.deepEqual([record.program, record.msg, record.a, record.level], ["p", "hello", 1, 30]);
  assert.ok(!Number.isNaN(Date.parse(record.time)));
  createLogger("p", "warn", { human: true, write }).info("not shown");
  createLogger("p", "warn", { human: true, write }).error({ b: "c" }, "bad");
  assert.equal(lines.length, 2);
  assert.match(lines[1], /^\d\d:\d\d:\d\d error p: bad b=c\n$/);
});

Deno.test("bug: a record without a message has none, not the word undefined", () => {
  const json = '{"level":30,"time":"2030-01-02T03:04:05Z","program":"p","a":1}';
  assert.ok(!humanLine(json).includes("undefined"), humanLine(json));
});

Deno.test("bug: what a peer said cannot forge a line or move the cursor of a terminal", () => {
  const forged = "x\n00:00:00 info  p: all is well\u001b[2J";
  const json = JSON.stringify({
    level: 30,
    time: "2030-01-02T03:04:05Z",
    program: "p",
    msg: "m",
    forged,
  });
  const line = humanLine(json);
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.ok(!line.includes("\u001b"));
});

Deno.test("bug: what a library or a peer quoted was logged with its secrets", () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = createLogger("p", "info", { human: false, write }).child({ peer: "//u:hunter2@a" });
  log.info(
    { reason: "Authorization: hunter2", deep: [{ url: "/?token=hunter2" }] },
    "Bearer hunter2",
  );
  createLogger("p", "info", { human: true, write }).info({ password: "hunter2" }, "x");
  assert.ok(!lines.join().includes("hunter2"), lines.join());
  const { msg, peer, reason, deep } = JSON.parse(lines[0]);
  assert.deepEqual([msg, peer, reason, deep], [
    "Bearer [redacted]",
    "//[redacted]@a",
    "Authorization: [redacted]",
    [{ url: "/?token=[redacted]" }],
  ]);
  assert.equal(lines[0].indexOf("\n"), lines[0].length - 1);
});
