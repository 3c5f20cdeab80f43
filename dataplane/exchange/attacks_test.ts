import assert from "node:assert/strict";
import fc from "fast-check";
import { GET, type Harness, harness, OK } from "../../tests/support/exchange_harness.ts";
import type { FakeConnection } from "../../tests/support/fake_transport.ts";
import { StrictReader } from "../../tests/support/recording_backend.ts";
import { cut } from "../../tests/support/wire.ts";
import { LIMIT } from "../config/defaults.ts";

/** Backends that answer every complete request; what they got, by connection. */
class Backends {
  readonly readers: StrictReader[] = [];
  readonly #harness: Harness;

  constructor(on: Harness) {
    this.#harness = on;
  }

  /** Lets every connection that is open or being opened do what is due. */
  serve(): void {
    const { opened } = this.#harness.transport;
    for (let i = 0; i < opened.length; i++) {
      const { connection } = opened[i];
      if (i >= this.readers.length) {
        this.readers.push(new StrictReader());
        if (!connection.closed) this.#harness.transport.establish(i);
      }
      const reader = this.readers[i];
      const before = reader.requests.length;
      reader.add(connection.take());
      for (let n = before; n < reader.requests.length && !connection.closed; n++) {
        connection.receive(OK);
      }
    }
  }

  get requests(): string[] {
    return this.readers.flatMap(({ requests }) =>
      requests.map(({ method, target, body, trailers }) =>
        `${method} ${target} ${body} ${trailers}`
      )
    );
  }

  get strange(): string[] {
    return this.readers.map(({ strange }) => strange).filter((reason) => reason !== "");
  }
}

/** What a client's bytes lead to, given in these pieces. */
function play(pieces: readonly string[]) {
  const on = harness();
  const backends = new Backends(on);
  const client = on.client();
  let answers = "";
  const turn = () => {
    for (let i = 0; i < 8; i++) backends.serve();
    answers += client.take();
  };
  for (const piece of pieces) {
    client.receive(piece);
    turn();
  }
  return {
    answers: answers.replace(/date: [^\r]+\r\n/g, ""),
    ended: client.ended || client.closed,
    requests: backends.requests,
    strange: backends.strange,
  };
}

const MESSAGES: readonly string[] = [
  "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
  "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
  "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
  "POST /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\n\r\n",
  "\r\n",
  "GET /x HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
  "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
  "GET /x HTTP/1.1\r\nHost: h\r\n folded: y\r\n\r\n",
];

Deno.test("property: wherever a stream of requests is cut, both sides see the same", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...MESSAGES), { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(1000), { maxLength: 10 }),
      (messages, positions) => {
        // An empty line is skipped between requests only.
        const text = `${MESSAGES[0]}${messages.join("")}${MESSAGES[0]}`;
        assert.deepEqual(play(cut(text, positions)), play([text]));
      },
    ),
    { numRuns: 500, endOnFailure: true, examples: [[["\r\n", "\r\n"], [335]]] },
  );
});

Deno.test("trailers that come with the head wait for the connection to the backend", () => {
  const { requests } = play([MESSAGES[3]]);
  assert.deepEqual(requests, ["POST /d  X-T: 1\r\n"]);
});

Deno.test("a client that ends its side behind a whole request is answered", async (t) => {
  for (const message of MESSAGES.slice(0, 4)) {
    await t.step(JSON.stringify(message.slice(0, 10)), () => {
      const on = harness();
      const backends = new Backends(on);
      const client = on.client();
      client.receive(message);
      // The connection to the backend is still being opened.
      client.events.onEnd();
      for (let i = 0; i < 8; i++) backends.serve();
      assert.match(client.take(), /^HTTP\/1\.1 200 /);
      assert.ok(client.ended);
    });
  }
});

Deno.test("a client that ends its side behind an empty line is let go", () => {
  const on = harness();
  const backends = new Backends(on);
  const client = on.client();
  client.receive(`${GET}\r\n`);
  client.events.onEnd();
  for (let i = 0; i < 8; i++) backends.serve();
  assert.match(client.take(), /^HTTP\/1\.1 200 /);
  assert.ok(client.ended);
});

/** Sends one byte a second until the connection ends; gives the milliseconds that took. */
function drip(on: Harness, client: FakeConnection, text: string): number {
  for (let i = 0; i < 3600; i++) {
    if (client.ended || client.closed) return i * 1000;
    client.receive(text[i % text.length]);
    on.pass(1000);
  }
  return Infinity;
}

Deno.test("a head that comes a byte at a time ends by its timer, however much came", async (t) => {
  for (
    const [name, start, more] of [
      ["in a name", "GET / HTTP/1.1\r\nHost: h\r\nx", "x"],
      ["in lines", "GET / HTTP/1.1\r\nHost: h\r\n", "x: y\r\n"],
      ["in a target", "GET /", "x"],
      ["in the HTTP/2 preface", "", "PRI * HTTP/2.0"],
    ] as const
  ) {
    await t.step(name, () => {
      const on = harness();
      const client = on.client();
      client.receive(start);
      assert.ok(drip(on, client, more) <= LIMIT.requestHead + 2000);
    });
  }
});

Deno.test("a second head that comes a byte at a time ends by its timer", () => {
  const on = harness();
  const backends = new Backends(on);
  const client = on.client();
  client.receive(`${GET}GET /`);
  for (let i = 0; i < 8; i++) backends.serve();
  assert.match(client.take(), /^HTTP\/1\.1 200 /);
  assert.ok(drip(on, client, "x") <= LIMIT.requestHead + 2000);
});

Deno.test("empty lines do not keep a connection for ever", () => {
  const on = harness();
  const backends = new Backends(on);
  const client = on.client();
  client.receive(GET);
  for (let i = 0; i < 8; i++) backends.serve();
  assert.ok(drip(on, client, "\r\n") <= LIMIT.idle + 2000);
});

Deno.test("a backend that drips its head is given up by the timer of the answer", () => {
  const on = harness();
  const client = on.client();
  client.receive(GET);
  const backend = on.upstream(0);
  backend.receive("HTTP/1.1 200 OK\r\nx: ");
  let waited = 0;
  for (; waited < 3600 && !backend.closed; waited++) {
    backend.receive("y");
    on.pass(1000);
  }
  assert.ok(waited * 1000 <= LIMIT.responseHead + 2000);
  assert.match(client.take(), /^HTTP\/1\.1 504 /);
});

Deno.test("interim answers do not put the timer of the answer off", () => {
  const on = harness();
  const client = on.client();
  client.receive(GET);
  const backend = on.upstream(0);
  let waited = 0;
  for (; waited < 3600 && !backend.closed; waited += 10) {
    backend.receive("HTTP/1.1 103 Early Hints\r\n\r\n");
    on.pass(10_000);
  }
  assert.ok(waited * 1000 <= LIMIT.responseHead + 12_000);
  assert.match(client.take(), /HTTP\/1\.1 50[24] /);
});

Deno.test("a client that sends ahead without end is not read any more", () => {
  const on = harness();
  const client = on.client();
  client.receive(GET);
  on.upstream(0);
  let sent = 0;
  for (; sent < 10_000 && !client.paused; sent++) client.receive(GET);
  assert.ok(sent * GET.length <= LIMIT.pipelined + 65_536, "reading pauses");
});

Deno.test("what a client sends before the 101 stays here, and comes first behind it", () => {
  const on = harness();
  const client = on.client();
  client.receive(
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly",
  );
  const backend = on.upstream(0);
  client.receive("more");
  assert.doesNotMatch(backend.take(), /early|more/);
  backend.receive(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  assert.equal(backend.take(), "earlymore");
});
