import assert from "node:assert/strict";
import { logFormat } from "./log_format.ts";

const LINE = {
  time: "2030-01-02T03:04:05.006Z",
  method: "GET",
  path: '/a"b',
  status: 200,
  bytes_out: 5,
  client: "192.0.2.1:4711",
  protocol: "HTTP/2",
  user_agent: 'curl/8 "x"\n',
};
const written = (format: string, ...lines: object[]) =>
  new TextDecoder().decode(
    logFormat(format, false)(
      new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join("")),
    ),
  );

Deno.test("the combined format is that of nginx, and no client can forge a line", () => {
  const client = "[2001:db8::1]:80";
  assert.equal(
    written("combined", LINE, { ...LINE, client, referer: "http://x/" }),
    '192.0.2.1 - - [02/Jan/2030:03:04:05 +0000] "GET /a\\x22b HTTP/2" 200 5 "-" "curl/8 \\x22x\\x22\\x0A"\n' +
      '2001:db8::1 - - [02/Jan/2030:03:04:05 +0000] "GET /a\\x22b HTTP/2" 200 5 "http://x/" "curl/8 \\x22x\\x22\\x0A"\n',
  );
});

Deno.test("a template takes its fields, and only those that there are", () => {
  assert.equal(written("{status} {path} {referer}|", LINE), "200 /a\\x22b -|\n");
  assert.throws(() => logFormat("{stauts}", false), /\{stauts\} is no field; fields are time, /);
  assert.throws(() => logFormat("clf", false), /neither json nor combined/);
});
