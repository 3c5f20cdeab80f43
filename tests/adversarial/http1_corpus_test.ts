import assert from "node:assert/strict";
import fc from "fast-check";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { freePort } from "../support/programs.ts";
import { RecordingBackend } from "../support/recording_backend.ts";
import { cut, talk } from "../support/wire.ts";
import { HTTP1_CASES, type Http1Case } from "./http1_cases.ts";

const BEHIND = "GET /behind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

interface Stage extends AsyncDisposable {
  readonly edge: Edge;
  readonly port: number;
  readonly backend: RecordingBackend;
}

/** An edge whose only backend keeps every byte. */
async function stage(): Promise<Stage> {
  const recording = await RecordingBackend.start();
  const port = freePort();
  const edge = await Edge.start(
    {
      "all.yaml": documents(
        gateway("edge", port),
        backend("b", recording.port),
        route("all", "b"),
      ),
    },
    { workers: 1 },
  );
  return {
    edge,
    port,
    backend: recording,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await recording[Symbol.asyncDispose]();
    },
  };
}

let probes = 0;

/**
 * Waits until whatever the gateway has to say about earlier connections is recorded: a request of our own
 * has passed it and every byte before it has been read.
 */
async function settled({ port, backend }: Stage): Promise<void> {
  const target = `/probe-${++probes}`;
  const probe = `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  const { answers } = await talk(port, [probe]);
  assert.deepEqual(answers.map(({ status }) => status), [200]);
  const at = backend.requests.findIndex((request) => request.target === target);
  backend.requests.splice(at, 1);
}

/** Whether the dataplane still has the worker it began with. */
function assertNoCrash({ edge }: Stage): void {
  const bad = edge.dataplane.lines.filter((line) =>
    /traffic worker (?:died|serves again)|uncaught|TypeError|RangeError/i
      .test(line)
  );
  assert.deepEqual(bad, []);
}

async function runCase(on: Stage, attack: Http1Case): Promise<void> {
  on.backend.clear();
  const strangeBefore = on.backend.strange.length;
  const { send, answers, reaches = [], alone = false, methods = [] } = attack;
  const result = await talk(on.port, [send + (alone ? "" : BEHIND)], { methods, fin: alone });
  const recorded = on.backend.bytes;
  const stays = !alone && answers.length > 0 && on.backend.requests.at(-1)?.target === "/behind";
  await settled(on);

  assert.notEqual(result.end, "open", "the connection ends");
  const statuses = result.answers.map(({ status }) => status);
  assert.deepEqual(stays ? statuses.slice(0, -1) : statuses, answers, "statuses");
  assert.equal(result.rest, "", "nothing but answers");
  const targets = on.backend.requests.map(({ target }) => target);
  assert.deepEqual(stays ? targets.slice(0, -1) : targets, reaches, "requests at the backend");
  assert.deepEqual(on.backend.strange.slice(strangeBefore), [], "only plain requests go out");
  assert.doesNotMatch(
    recorded.replaceAll("/t?", ""),
    /\r\n\r\nGET \/smuggled(?! HTTP\/1\.1\r\nHost: a\r\n\r\n)/,
  );
  // An answer that went to the wrong request would show in its text.
  const bodies = result.answers.filter(({ status }) => status === 200).map(({ body }) => body);
  const expected = [...reaches, ...(stays ? ["/behind"] : [])];
  expected.forEach((target, i) => {
    if (methods[i] !== "HEAD") assert.equal(bodies[i], target, "each answer to its own request");
  });
  if (attack.has !== undefined) assert.match(recorded, attack.has);
  if (attack.hasNot !== undefined) {
    assert.doesNotMatch(recorded.replaceAll("/behind", ""), attack.hasNot);
  }
  if (attack.body !== undefined) assert.equal(on.backend.requests[0].body, attack.body);
}

/** Refusals after which the connection cannot be trusted any more. */
const CLOSING = new Set([400, 414, 417, 431, 505]);

Deno.test("HTTP/1 corpus: what is ambiguous ends the connection and never reaches a backend", async (t) => {
  await using on = await stage();
  for (const attack of HTTP1_CASES) {
    await t.step(attack.name, async () => {
      await runCase(on, attack);
      const last = attack.answers.at(-1);
      const understood = attack.name.startsWith("path ");
      if (last !== undefined && CLOSING.has(last) && !understood) {
        assert.ok(
          !on.backend.requests.some(({ target }) => target === "/behind"),
          "a request behind a refused one is not served",
        );
      }
    });
  }
  await t.step("the dataplane came through", () => assertNoCrash(on));
});

/** Everything that a stream of bytes led to, on both sides. */
async function effects(on: Stage, pieces: readonly string[], methods: readonly string[] = []) {
  on.backend.clear();
  const result = await talk(on.port, pieces, { methods });
  await settled(on);
  return {
    end: result.end,
    rest: result.rest,
    answers: result.answers.map(({ status, body }) => `${status} ${body}`),
    requests: on.backend.requests.map(({ method, target, body, trailers }) =>
      `${method} ${target} ${body} ${trailers}`
    ),
    strange: on.backend.strange,
  };
}

Deno.test("HTTP/1 corpus: every case cut into pieces gives the same", async () => {
  await using on = await stage();
  // The long ones are about limits and would only take long in pieces.
  const short = HTTP1_CASES.filter(({ send, alone }) => send.length < 400 && alone !== true);
  for (const [i, { name, send, methods }] of short.entries()) {
    const text = send + BEHIND;
    const whole = await effects(on, [text], methods);
    const pieces = cut(text, [7 + i * 13, 40 + i * 29]);
    assert.deepEqual(await effects(on, pieces, methods), whole, name);
  }
});

const VALID: readonly string[] = [
  "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
  "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
  "PUT /d?q=%2e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
  "OPTIONS /e HTTP/1.1\r\nHost: a\r\nX-Empty:\r\n\r\n",
];
const INVALID: readonly string[] = [
  "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
  "GET /x HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
  "GET /x\0 HTTP/1.1\r\nHost: a\r\n\r\n",
];

Deno.test("property: random splits of a stream change nothing", async () => {
  await using on = await stage();
  const stream = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...VALID) },
      { weight: 1, arbitrary: fc.constantFrom(...INVALID) },
    ),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(
      stream,
      fc.array(fc.nat(2000), { maxLength: 12 }),
      async (messages, positions) => {
        const text = messages.join("") + BEHIND;
        const whole = await effects(on, [text]);
        assert.notEqual(whole.end, "open");
        assert.deepEqual(await effects(on, cut(text, positions)), whole);
      },
    ),
    { numRuns: 60, endOnFailure: true },
  );
  assertNoCrash(on);
});

const TEMPLATES: readonly string[] = [
  "GET /only HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n",
  "POST /only HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\nAccept: text/html\r\n\r\nabcdefghijklmnop",
  "POST /only HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nabcdefgh\r\n8\r\nijklmnop\r\n0\r\n\r\n",
  "POST http://a/only HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nX-T: 1\r\n\r\n",
];
const INSERTS: readonly string[] = [
  ...["\r\n", "\n", "\r", "\r\n\r\n", "\0", " ", "\t", ":", ";", ",", "\x0b", "\x7f", "\xff"],
  ...["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "0\r\n\r\n", "%00"],
  ...["Connection: close\r\n", "Upgrade: websocket\r\nConnection: upgrade\r\n", "HTTP/1.1", "GET "],
];

Deno.test("property: a mutated request is never two, and every client gets an answer or an end", async () => {
  await using on = await stage();
  const edit = fc.record({
    at: fc.nat(400),
    kind: fc.constantFrom("set", "insert", "delete", "double", "word"),
    byte: fc.nat(255),
    word: fc.constantFrom(...INSERTS),
    length: fc.integer({ min: 1, max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...TEMPLATES),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      async (template, edits) => {
        let text = template;
        for (const { at, kind, byte, word, length } of edits) {
          const i = at % (text.length + 1);
          const before = text.slice(0, i);
          const character = String.fromCharCode(byte);
          if (kind === "set") text = before + character + text.slice(i + 1);
          else if (kind === "insert") text = before + character + text.slice(i);
          else if (kind === "delete") text = before + text.slice(i + length);
          else if (kind === "double") text = before + text.slice(i, i + length) + text.slice(i);
          else text = before + word + text.slice(i);
        }
        on.backend.clear();
        const strange = on.backend.strange.length;
        const result = await talk(on.port, [text], { fin: true });
        await settled(on);
        assert.notEqual(result.end, "open", "an answer or an end");
        assert.ok(on.backend.requests.length <= 1, "one request at most");
        assert.deepEqual(on.backend.strange.slice(strange), []);
      },
    ),
    { numRuns: 300, endOnFailure: true },
  );
  assertNoCrash(on);
});
