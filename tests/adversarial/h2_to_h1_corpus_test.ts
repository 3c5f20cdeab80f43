import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ErrorCode } from "../../dataplane/http2/frame.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { Http2Client, pseudo } from "../support/http2_client.ts";
import { type Field, indexedLiteral, reference, section } from "../support/http2_wire.ts";
import { freePort } from "../support/programs.ts";
import { RecordingBackend, type WireRequest } from "../support/recording_backend.ts";

interface Stage extends AsyncDisposable {
  readonly edge: Edge;
  readonly port: number;
  readonly backend: RecordingBackend;
}

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

/** One request by HTTP/2 frames. */
interface Http2Case {
  readonly name: string;
  readonly fields: readonly Field[];
  /** DATA frames; the last one ends the stream. Without any, HEADERS does. */
  readonly data?: readonly string[];
  /** A section behind the data, which ends the stream in its place. */
  readonly trailers?: readonly Field[];
  /** A status; or "reset" for an error of the stream or of the connection. */
  readonly expect: number | "reset";
  readonly check?: (request: WireRequest) => void;
}

const get = (...fields: Field[]): Field[] => [...pseudo("GET", "/t"), ...fields];
const post = (...fields: Field[]): Field[] => [...pseudo("POST", "/t"), ...fields];
const reset = (
  name: string,
  fields: readonly Field[],
  more: Partial<Http2Case> = {},
): Http2Case => ({
  name,
  fields,
  expect: "reset",
  ...more,
});
const status = (
  expect: number,
  name: string,
  fields: readonly Field[],
  more: Partial<Http2Case> = {},
): Http2Case => ({ name, fields, expect, ...more });
const show = (text: string) => JSON.stringify(text);
const without = (name: string) => get().filter(([field]) => field !== name);
const withField = (name: string, value: string) =>
  get().map((field) => field[0] === name ? [name, value] as const : field);

const INNER = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const BREAKS: readonly string[] = [
  ...["\r\n", "\n", "\r", "\0", "\x01", "\x0b", "\x7f", "\r\n\r\n", `\r\nX: y\r\n\r\n${INNER}`],
];

const injections: Http2Case[] = [
  ...BREAKS.flatMap((text) => [
    reset(`${show(text)} in a value`, get(["x-a", `b${text}c`])),
    reset(`${show(text)} at a value's end`, get(["x-a", `b${text}`])),
    reset(`${show(text)} at a value's beginning`, get(["x-a", `${text}b`])),
    reset(`${show(text)} in a name`, get([`x${text}a`, "b"])),
    reset(`${show(text)} in a cookie`, get(["cookie", "a=b"], ["cookie", `c${text}=d`])),
    reset(`${show(text)} in :path`, withField(":path", `/t${text}x`)),
    reset(`${show(text)} in :authority`, withField(":authority", `a${text}b`)),
    reset(`${show(text)} in :method`, withField(":method", `GE${text}T`)),
    reset(`${show(text)} in :scheme`, withField(":scheme", `http${text}`)),
    reset(`${show(text)} in Host`, [...without(":authority"), ["host", `a${text}b`]]),
  ]),
  ...[" b", "b ", "\tb", "b\t", " "].map((value) =>
    reset(`value ${show(value)}`, get(["x-a", value]))
  ),
  ...["x a", "x:a", "x(a", "X-A", "x-A", "", "x\xe9", 'x"a', "x,a", "x/a", ":x", "x{"].map((name) =>
    reset(`name ${show(name)}`, get([name, "b"]))
  ),
  reset("a request line for a name", get([`x: y\r\n\r\n${INNER}`, "b"])),
  reset(
    "a request line for a method",
    withField(":method", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET"),
  ),
  reset("a method with a space", withField(":method", "GET /smuggled")),
  status(200, "an empty value", get(["x-a", ""])),
  status(200, "obs-text in a value", get(["x-a", "\xe9"])),
];

const pseudoFields: Http2Case[] = [
  ...[
    "",
    "t",
    "t/x",
    "*",
    "**",
    "?x",
    "http://a/t",
    "//",
    "#x",
    "/t#x",
    "/t x",
    " /t",
    "/t ",
    "/t\x80",
  ]
    .filter((path) => path !== "//")
    .map((path) => reset(`:path ${show(path)}`, withField(":path", path))),
  ...["\\t", "a:80", "../t"].map((path) => reset(`:path ${show(path)}`, withField(":path", path))),
  ...["/t\\x", "/%00", "/t/..%2fx", "/%zz", "/t/..;/x"].map((path) =>
    status(400, `:path ${show(path)}`, withField(":path", path))
  ),
  status(200, ":path with dot segments", withField(":path", "/x/%2e%2e/t"), {
    check: ({ target }) => assert.equal(target, "/t"),
  }),
  status(414, "an endless :path", withField(":path", `/${"x".repeat(20_000)}`)),
  ...["a b", "a/b", "a@b", "u:p@a", "a:80x", "[::1", "a#b", "a?b", "a\\b", "a:b", "http://a", "<a>"]
    .map((host) => reset(`:authority ${show(host)}`, withField(":authority", host))),
  reset("an empty :authority and no Host", withField(":authority", "")),
  reset("neither :authority nor Host", without(":authority")),
  status(200, "Host in place of :authority", [...without(":authority"), ["host", "a"]], {
    check: ({ head }) => assert.match(head, /\r\nhost: a\r\n/i),
  }),
  status(200, "Host equal to :authority", get(["host", "A"])),
  reset("Host other than :authority", get(["host", "b"])),
  reset("Host with a port that :authority has not", get(["host", "a:80"])),
  reset("two Hosts", get(["host", "a"], ["host", "a"])),
  reset("two Hosts without :authority", [...without(":authority"), ["host", "a"], ["host", "b"]]),
  ...["", "GE T", "G(ET", " GET", "GET ", "GET:", "G\xe9T"].map((method) =>
    reset(`:method ${show(method)}`, withField(":method", method))
  ),
  status(405, "TRACE", withField(":method", "TRACE")),
  ...["", "ftp", "HTTP", "http ", "http:", "javascript"].map((scheme) =>
    reset(`:scheme ${show(scheme)}`, withField(":scheme", scheme))
  ),
  ...[":method", ":scheme", ":path"].map((name) => reset(`no ${name}`, without(name))),
  ...get().map(([name, value]) => reset(`${name} twice`, [...get(), [name, value]])),
  ...get().map(([name, value]) => reset(`${name} twice, together`, [[name, value], ...get()])),
  ...get().map(([name]) =>
    reset(`${name} behind a field`, [
      ...without(name),
      ["x-a", "b"],
      ...get().filter(([field]) => field === name),
    ])
  ),
  reset(":status in a request", [...get().slice(0, 4), [":status", "200"]]),
  reset("an unknown pseudo-header field", [[":x", "y"], ...get()]),
  reset("a pseudo-header field in upper case", [[":Path", "/t"], ...without(":path")]),
  reset("no field at all", []),
];

const connection: Http2Case[] = [
  reset("transfer-encoding", post(["transfer-encoding", "chunked"]), { data: ["0\r\n\r\n"] }),
  reset("transfer-encoding without content", get(["transfer-encoding", "chunked"])),
  reset(
    "transfer-encoding and content-length",
    post(["content-length", "5"], ["transfer-encoding", "chunked"]),
    {
      data: ["0\r\n\r\n"],
    },
  ),
  ...["close", "keep-alive", "upgrade", "host", "x-a", ""].map((value) =>
    reset(`connection: ${value}`, get(["connection", value]))
  ),
  reset("keep-alive", get(["keep-alive", "timeout=5"])),
  reset("proxy-connection", get(["proxy-connection", "keep-alive"])),
  reset("upgrade", get(["upgrade", "websocket"])),
  reset("upgrade: h2c", get(["upgrade", "h2c"], ["http2-settings", "AAMAAABk"])),
  ...["gzip", "chunked", "trailers, gzip", "", "trailers,", "trailers;q=1"].map((value) =>
    reset(`te: ${show(value)}`, get(["te", value]))
  ),
  status(200, "te: trailers", get(["te", "trailers"]), {
    check: ({ head }) => assert.match(head, /\r\nte: trailers\r\n/),
  }),
  status(
    200,
    "cookies in pieces",
    get(["cookie", "a=1"], ["x-a", "b"], ["cookie", "b=2"], ["cookie", "c=3"]),
    {
      check({ head }) {
        assert.match(head, /\r\ncookie: a=1; b=2; c=3\r\n/i);
        assert.equal(head.match(/cookie/gi)!.length, 1);
      },
    },
  ),
  ...["content_length", "transfer_encoding", "x_forwarded_for", "x_real_ip"].map((name) =>
    status(400, `${name} shadows a protected field`, get([name, "5"]))
  ),
  status(
    200,
    "forwarding fields of a stranger",
    get(
      ...[
        "x-forwarded-for",
        "x-real-ip",
        "x-forwarded-host",
        "forwarded",
        "x-forwarded-client-cert",
      ].map(
        (name): Field => [name, "evil"],
      ),
    ),
    { check: ({ head }) => assert.doesNotMatch(head, /evil/) },
  ),
  status(417, "an unknown expectation", get(["expect", "x"])),
];

const LENGTHS: readonly string[] = [
  ...["+5", "-5", "0x5", "5, 5", "5,5", "", "5 5", "5.0", "five", "99999999999999999999"],
  ...["18446744073709551621"],
];

const content: Http2Case[] = [
  reset("content-length above the content", post(["content-length", "6"]), { data: ["hello"] }),
  reset("content-length below the content", post(["content-length", "4"]), { data: ["hello"] }),
  reset("content-length below the content, in pieces", post(["content-length", "4"]), {
    data: ["hel", "lo", ""],
  }),
  reset("content-length with nothing behind", post(["content-length", "5"])),
  reset("content-length with an empty end", post(["content-length", "5"]), { data: [""] }),
  reset("content-length of a request that is smuggled behind", post(["content-length", "1"]), {
    data: [`x${INNER}`],
  }),
  reset("content-length of a GET above nothing", get(["content-length", "5"])),
  reset("content-length and trailers too early", post(["content-length", "9"]), {
    data: ["hello"],
    trailers: [["x-t", "1"]],
  }),
  reset("two equal content-lengths", post(["content-length", "5"], ["content-length", "5"]), {
    data: ["hello"],
  }),
  reset("two content-lengths", post(["content-length", "5"], ["content-length", "6"]), {
    data: ["hello"],
  }),
  ...LENGTHS.map((value) =>
    reset(`content-length ${show(value)}`, post(["content-length", value]), { data: ["hello"] })
  ),
  status(200, "content-length that holds", post(["content-length", "5"]), {
    data: ["he", "llo"],
    check: ({ body }) => assert.equal(body, "hello"),
  }),
  status(200, "content that looks like chunks", post(), {
    data: ["0\r\n\r\n", INNER],
    check: ({ body }) => assert.equal(body, `0\r\n\r\n${INNER}`),
  }),
  status(200, "content of a GET", get(), {
    data: [INNER],
    check: ({ body }) => assert.equal(body, INNER),
  }),
  status(200, "trailers", post(), {
    data: ["hello"],
    trailers: [["x-t", "1"], ["transfer-encoding", "chunked"], ["content-length", "9"], [
      "host",
      "evil",
    ], ["authorization", "x"]],
    check({ body, trailers }) {
      assert.equal(body, "hello");
      assert.equal(trailers, "x-t: 1\r\n");
    },
  }),
  ...[":path", ":method", ":status", ":authority", ":x"].map((name) =>
    reset(`${name} in trailers`, post(), { data: ["hello"], trailers: [[name, "/smuggled"]] })
  ),
  ...["b\r\nc", "b\nc", "b\0", " b"].map((value) =>
    reset(`trailer value ${show(value)}`, post(), { data: ["hello"], trailers: [["x-t", value]] })
  ),
  reset("trailer in upper case", post(), { data: ["hello"], trailers: [["X-T", "1"]] }),
  reset("a request in a trailer's name", post(), {
    data: ["hello"],
    trailers: [[`x: y\r\n\r\n${INNER}`, "1"]],
  }),
];

const extended = (protocol: string, ...more: Field[]): Field[] => [
  [":method", "CONNECT"],
  [":protocol", protocol],
  [":scheme", "http"],
  [":authority", "a"],
  [":path", "/t"],
  ...more,
];

const tunnels: Http2Case[] = [
  status(501, "CONNECT", [[":method", "CONNECT"], [":authority", "a:80"]], { data: [INNER] }),
  status(501, "CONNECT to an internal address", [[":method", "CONNECT"], [
    ":authority",
    "127.0.0.1:22",
  ]]),
  reset("CONNECT with :path", [[":method", "CONNECT"], [":authority", "a"], [":path", "/t"]]),
  reset("CONNECT with :scheme", [[":method", "CONNECT"], [":authority", "a"], [":scheme", "http"]]),
  reset("CONNECT without :authority", [[":method", "CONNECT"]]),
  reset(":protocol with GET", [[":protocol", "websocket"], ...get()]),
  reset(
    "extended CONNECT without :path",
    extended("websocket").filter(([name]) => name !== ":path"),
  ),
  reset(
    "extended CONNECT without :scheme",
    extended("websocket").filter(([name]) => name !== ":scheme"),
  ),
  reset("extended CONNECT with an upgrade field", extended("websocket", ["upgrade", "h2c"])),
  reset("extended CONNECT with line breaks", extended(`websocket\r\n\r\n${INNER}`)),
];

const CASES: readonly Http2Case[] = [
  ...injections,
  ...pseudoFields,
  ...connection,
  ...content,
  ...tunnels,
];

let probes = 0;

/** A request on a connection of its own has passed: what came before it is recorded. */
async function settled({ port, backend }: Stage): Promise<void> {
  const target = `/probe-${++probes}`;
  using client = await Http2Client.open(port);
  const answer = await client.get(target);
  assert.equal(answer.body, target);
  backend.requests.splice(backend.requests.findIndex((request) => request.target === target), 1);
}

function send(client: Http2Client, { fields, data = [], trailers }: Http2Case): number {
  const id = client.request(fields, data.length === 0 && trailers === undefined);
  data.forEach((piece, i) => {
    client.data(id, piece, trailers === undefined && i === data.length - 1);
  });
  if (trailers !== undefined) client.headers(id, section(trailers), true);
  return id;
}

Deno.test("HTTP/2 to HTTP/1 corpus: nothing ambiguous reaches a backend", async (t) => {
  await using on = await stage();
  for (const attack of CASES) {
    await t.step(attack.name, async () => {
      on.backend.clear();
      const strange = on.backend.strange.length;
      using client = await Http2Client.open(on.port);
      const answer = await client.answer(send(client, attack));
      await settled(on);
      if (attack.expect === "reset") {
        assert.equal(answer.status, 0, "no answer");
        assert.ok(answer.reset >= 0 || answer.goAway > 0, "an error of HTTP/2");
      } else {
        assert.equal(answer.status, attack.expect);
        assert.equal(answer.complete, true);
      }
      const passes = attack.expect === 200;
      assert.equal(on.backend.requests.length, passes ? 1 : 0, "requests at the backend");
      assert.deepEqual(on.backend.strange.slice(strange), [], "only plain requests go out");
      if (passes) {
        assert.equal(answer.body, on.backend.requests[0].target);
        attack.check?.(on.backend.requests[0]);
      }
    });
  }
  await t.step("the backend understood all it got", () => assert.deepEqual(on.backend.strange, []));
});

Deno.test("HTTP/2 to HTTP/1: extended CONNECT opens no way around the framing", async (t) => {
  await using on = await stage();
  for (const protocol of ["foo", "", "h2c", "websocket, foo", "connect-udp", "WEBSOCKET2"]) {
    await t.step(`:protocol ${show(protocol)} carries nothing to the backend`, async () => {
      on.backend.clear();
      const strange = on.backend.strange.length;
      using client = await Http2Client.open(on.port);
      const id = client.request(extended(protocol), false);
      client.data(id, INNER, false);
      client.data(id, INNER, true);
      await client.answer(id);
      await settled(on);
      // Whether it is refused or asked without upgrade, what is inside the tunnel stays inside.
      const targets = on.backend.requests.map(({ target }) => target);
      assert.deepEqual(targets.filter((target) => target !== "/t"), []);
      assert.ok(targets.length <= 1);
      assert.deepEqual(on.backend.strange.slice(strange), []);
    });
  }
  await t.step("a tunnel that the backend does not open carries nothing", async () => {
    on.backend.clear();
    using client = await Http2Client.open(on.port);
    const id = client.request(extended("websocket", ["sec-websocket-version", "13"]), false);
    client.data(id, INNER, false);
    const answer = await client.answer(id);
    // To a client of extended CONNECT a success would be an open tunnel.
    assert.ok(answer.status >= 300 || answer.reset >= 0);
    await settled(on);
    assert.deepEqual(on.backend.requests.map(({ method, target }) => `${method} ${target}`), [
      "GET /t",
    ]);
  });
  await t.step("a tunnel has no content-length at the backend", async () => {
    on.backend.clear();
    using client = await Http2Client.open(on.port);
    const length = String(INNER.length);
    const id = client.request(extended("websocket", ["content-length", length]), false);
    client.data(id, INNER, false);
    await Promise.race([client.answer(id), on.backend.received("upgrade: websocket")]);
    assert.doesNotMatch(on.backend.bytes, /content-length/i);
  });
});

Deno.test("HTTP/2 to HTTP/1: content beyond content-length 0 goes nowhere", async () => {
  await using on = await stage();
  using client = await Http2Client.open(on.port);
  const id = client.request(post(["content-length", "0"]), false);
  client.data(id, INNER, true);
  assert.ok((await client.answer(id)).reset >= 0);
  await settled(on);
  // The head alone was a complete request; it may have left before the content came.
  assert.ok(on.backend.requests.every(({ target, body }) => target === "/t" && body === ""));
  assert.deepEqual(on.backend.strange, []);
});

Deno.test("HTTP/2 to HTTP/1: limits of field sections", async (t) => {
  await using on = await stage();
  const many = (count: number): Field[] =>
    Array.from({ length: count }, (_, i): Field => [`x-${i}`, String(i)]);

  await t.step("300 fields are 431 and the connection serves on", async () => {
    on.backend.clear();
    using client = await Http2Client.open(on.port);
    const answer = await client.answer(client.request(get(...many(300))));
    assert.equal(answer.status, 431);
    assert.equal((await client.get("/next")).body, "/next");
    assert.deepEqual(on.backend.requests.map(({ target }) => target), ["/next"]);
  });
  await t.step("70 KiB of fields, compressed, are 431 and the connection serves on", async () => {
    on.backend.clear();
    using client = await Http2Client.open(on.port);
    // A field that the table keeps and 99 references to it: little to send, 70 KiB to pass on.
    const block = Buffer.concat([
      section(get()),
      indexedLiteral("x-a", "b".repeat(700)),
      ...Array.from({ length: 99 }, () => reference(62)),
    ]);
    const id = client.stream();
    client.headers(id, block, true);
    assert.equal((await client.answer(id)).status, 431);
    assert.equal((await client.get("/next")).body, "/next");
    assert.deepEqual(on.backend.requests.map(({ target }) => target), ["/next"]);
  });
  await t.step("70 KiB of fields in full are 431 and the connection serves on", async () => {
    on.backend.clear();
    using client = await Http2Client.open(on.port);
    const id = client.request(
      get(...Array.from({ length: 70 }, (_, i): Field => [`x-${i}`, "b".repeat(1000)])),
    );
    const answer = await client.answer(id);
    assert.equal(answer.goAway, -1, "the connection lives");
    assert.equal(answer.status, 431);
    assert.equal((await client.get("/next")).body, "/next");
    assert.deepEqual(on.backend.requests.map(({ target }) => target), ["/next"]);
  });
  // The authority and the joined cookie become fields of their own: there must be room, or a refusal.
  for (const count of [124, 125, 126, 127, 128, 129]) {
    await t.step(
      `${count} fields beside :authority: its host and the cookies reach the backend, or nothing does`,
      async () => {
        on.backend.clear();
        using client = await Http2Client.open(on.port);
        const answer = await client.answer(
          client.request(get(...many(count - 2), ["cookie", "a=1"], ["cookie", "b=2"])),
        );
        await settled(on);
        if (answer.status === 200) {
          const [{ head }] = on.backend.requests;
          assert.match(head, /\r\nhost: a\r\n/i);
          assert.match(head, /\r\ncookie: a=1; b=2\r\n/i);
        } else {
          assert.equal(answer.status, 431);
          assert.deepEqual(on.backend.requests, []);
        }
      },
    );
    await t.step(`${count} fields beside :authority do not hide it from the router`, async () => {
      on.backend.clear();
      using client = await Http2Client.open(on.port);
      const fields = [...pseudo("GET", "/t", "named.example.com"), ...many(count)];
      const answer = await client.answer(client.request(fields));
      await settled(on);
      if (answer.status === 431) assert.deepEqual(on.backend.requests, []);
      else assert.match(on.backend.requests[0].head, /\r\nhost: named\.example\.com\r\n/i);
    });
  }
  await t.step("the dynamic table cannot hide a malformed field", async () => {
    on.backend.clear();
    using client = await Http2Client.open(on.port);
    const first = client.stream();
    client.headers(
      first,
      Buffer.concat([section(get()), indexedLiteral("x-a", "b\r\nX: y")]),
      true,
    );
    assert.equal((await client.answer(first)).reset, ErrorCode.ProtocolError);
    for (
      const block of [reference(62), Buffer.concat([Buffer.from([0x0f, 47]), Buffer.from([1, 99])])]
    ) {
      const id = client.stream();
      client.headers(id, Buffer.concat([section(get()), block]), true);
      const answer = await client.answer(id);
      if (block.length === 1) assert.equal(answer.reset, ErrorCode.ProtocolError);
      else assert.equal(answer.status, 200);
    }
    await settled(on);
    assert.deepEqual(on.backend.strange, []);
    assert.doesNotMatch(on.backend.bytes, /X: y/);
  });
  await t.step("a name that the table keeps is checked again with another value", async () => {
    on.backend.clear();
    using client = await Http2Client.open(on.port);
    const first = client.stream();
    client.headers(first, Buffer.concat([section(get()), indexedLiteral("X-UPPER", "b")]), true);
    assert.equal((await client.answer(first)).reset, ErrorCode.ProtocolError);
    const second = client.stream();
    // 0x0f 47: literal without indexing, name of entry 62.
    const block = Buffer.concat([section(get()), Buffer.from([0x0f, 47]), Buffer.from([1, 99])]);
    client.headers(second, block, true);
    assert.equal((await client.answer(second)).reset, ErrorCode.ProtocolError);
    await settled(on);
    assert.deepEqual(on.backend.requests, []);
  });
});

Deno.test("HTTP/2 to HTTP/1: a reset request is no complete one", async () => {
  await using on = await stage();
  using client = await Http2Client.open(on.port);
  const [cut, good] = [client.request(post(), false), client.request(post(), false)];
  client.data(cut, "half", false);
  client.data(good, "whole", true);
  assert.equal((await client.answer(good)).body, "/t");
  // RST_STREAM with CANCEL.
  client.write(Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, cut, 0, 0, 0, 8]));
  await settled(on);
  assert.deepEqual(on.backend.requests.map(({ body }) => body), ["whole"]);
  assert.deepEqual(on.backend.strange, []);
});
