import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { FrameType } from "../../dataplane/http2/frame.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { Http2Backend } from "../support/http2_backend.ts";
import { Http2Client } from "../support/http2_client.ts";
import type { Field } from "../support/http2_wire.ts";
import { freePort } from "../support/programs.ts";
import { talk } from "../support/wire.ts";
import { HOSTILE_HTTP1, type HostileCase, type Outcome } from "./hostile_http1_cases.ts";
import { HOSTILE_HTTP2 } from "./hostile_http2_cases.ts";

/** A backend of one case, whatever it speaks. */
interface Hostile extends AsyncDisposable {
  readonly port: number;
  /** Resolves when the connection that served the last attack has ended. */
  attackedConnectionEnds(): Promise<void>;
}

/** Breaks the rules for /attack and answers everything else with its query. */
async function hostileHttp1({ attack }: HostileCase): Promise<Hostile> {
  const sockets = new Set<net.Socket>();
  let ended = Promise.resolve();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      for (let end; (end = text.indexOf("\r\n\r\n")) >= 0;) {
        const target = text.split(" ", 2)[1];
        text = text.slice(end + 4);
        if (target.includes("/attack")) {
          ended = new Promise((resolve) => socket.once("close", () => resolve()));
          if (typeof attack === "string") socket.write(attack, "latin1");
          else attack(socket);
        } else {
          const body = target.split("?")[1];
          socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    attackedConnectionEnds: () => ended,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function hostileHttp2(
  { attack, greet }: (typeof HOSTILE_HTTP2)[number],
): Promise<Hostile> {
  let greeted = 0;
  const server = new Http2Backend(
    (connection, request) => {
      const path = request.fields.get(":path")!;
      if (path.includes("/attack")) attack(connection, request);
      else {
        connection.headers(request.stream, [[":status", "200"]], false);
        connection.data(request.stream, path.split("?")[1], true);
      }
    },
    (connection) =>
      greet === undefined || greeted++ > 0
        ? connection.frame(FrameType.Settings, 0, 0)
        : greet(connection),
  );
  await server.listen();
  return {
    get port() {
      return server.port;
    },
    attackedConnectionEnds: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface Stage extends AsyncDisposable {
  readonly edge: Edge;
  readonly port: number;
  readonly hostiles: readonly Hostile[];
}

/** An edge with a route for each backend: /0 to the first, and so on. */
async function stage(hostiles: readonly Hostile[], protocol: string): Promise<Stage> {
  const port = freePort();
  const parts = hostiles.flatMap((hostile, i) => [
    `${backend(`b${i}`, hostile.port)}${protocol}`,
    route(`r${i}`, `b${i}`, { path: `/${i}` }),
  ]);
  const edge = await Edge.start({ "all.yaml": documents(gateway("edge", port), ...parts) }, {
    workers: 1,
  });
  return {
    edge,
    port,
    hostiles,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      for (const hostile of hostiles) await hostile[Symbol.asyncDispose]();
    },
  };
}

interface Probe {
  readonly path: string;
  readonly method: string;
  readonly fields: readonly string[];
  readonly expect: Outcome;
  readonly hidden: RegExp;
}

let tokens = 0;

/** A client's own request right after, over a connection of its own. */
async function assertNextUser(port: number, path: string): Promise<void> {
  const token = `next-${++tokens}`;
  const request = `GET ${path}/next?${token} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  const { answers, rest } = await talk(port, [request]);
  assert.deepEqual(answers.map(({ status, body }) => [status, body]), [[200, token]], "next user");
  assert.equal(rest, "");
}

/** Attacked through HTTP/1.1, with a request of the same client right behind. */
async function askHttp1(port: number, probe: Probe): Promise<void> {
  const { path, method, fields, expect, hidden } = probe;
  const token = `behind-${++tokens}`;
  const lines = fields.map((line) => `${line}\r\n`).join("");
  const attacked = `${method} ${path}/attack HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
  const behind = `GET ${path}/next?${token} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  const { answers, rest, end } = await talk(port, [attacked + behind], { methods: [method] });
  assert.notEqual(end, "open", "the connection ends");
  if (expect === "cut") {
    assert.deepEqual(answers, [], "no complete answer");
    assert.doesNotMatch(rest, new RegExp(token));
  } else {
    assert.equal(rest, "", "nothing but answers");
    assert.equal(answers[0]?.status, expect.status);
    if (expect.body !== undefined) assert.equal(answers[0].body, expect.body);
    assert.deepEqual(answers.slice(1).map(({ status, body }) => [status, body]), [[200, token]]);
  }
  const text = answers.map(({ head, body }) => head + body).join("");
  assert.doesNotMatch(text, hidden);
}

async function askHttp2(port: number, probe: Probe): Promise<void> {
  const { path, method, fields, expect, hidden } = probe;
  const token = `behind-${++tokens}`;
  using client = await Http2Client.open(port);
  const upgrades = fields.length > 0;
  const head: Field[] = [
    [":method", upgrades ? "CONNECT" : method],
    ...(upgrades ? [[":protocol", "websocket"] as const] : []),
    [":scheme", "http"],
    [":authority", "a"],
    [":path", `${path}/attack`],
  ];
  const answer = await client.answer(client.request(head, !upgrades));
  if (expect === "cut") {
    assert.equal(answer.complete, false, "no complete answer");
    assert.ok(answer.reset >= 0 || answer.goAway >= 0, "an error of HTTP/2");
  } else if (upgrades) {
    // A success would tell this client that its tunnel is open.
    assert.equal(answer.status, 502);
  } else {
    assert.equal(answer.status, expect.status);
    assert.equal(answer.complete, true);
    if (expect.body !== undefined) assert.equal(answer.body, expect.body);
  }
  const text = [...answer.fields, ...answer.trailers].join("\n") + answer.body;
  assert.doesNotMatch(text, hidden);
  assert.equal((await client.get(`${path}/next?${token}`)).body, token, "the same client's next");
}

function assertNoCrash({ edge }: Stage): void {
  const bad = edge.dataplane.lines.filter((line) =>
    /traffic worker (?:died|serves again)|uncaught|TypeError|RangeError/i
      .test(line)
  );
  assert.deepEqual(bad, []);
}

Deno.test("hostile HTTP/1.1 backends: nothing cut passes as complete, and the next user gets its own", async (t) => {
  await using on = await stage(await Promise.all(HOSTILE_HTTP1.map(hostileHttp1)), "");
  for (const [i, hostile] of HOSTILE_HTTP1.entries()) {
    const { name, method = "GET", fields = [], expect, awaitsClose, hidden = /EVIL/ } = hostile;
    const probe = { path: `/${i}`, method, fields, expect, hidden };
    // The client's own next request would meet bytes that are under way, as any reuse might.
    if (awaitsClose === true) {
      await t.step(name, async () => {
        const { answers } = await talk(on.port, [
          `GET /${i}/attack HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
        ]);
        assert.deepEqual(answers.map(({ body }) => body), ["own"]);
        await on.hostiles[i].attackedConnectionEnds();
        await assertNextUser(on.port, `/${i}`);
      });
      continue;
    }
    for (const [version, ask] of [["HTTP/1.1", askHttp1], ["HTTP/2", askHttp2]] as const) {
      await t.step(`${name}, to a client of ${version}`, async () => {
        await ask(on.port, probe);
        await assertNextUser(on.port, `/${i}`);
      });
    }
  }
  await t.step("the dataplane came through", () => assertNoCrash(on));
});

Deno.test("hostile HTTP/2 backends: nothing cut passes as complete, and the next user gets its own", async (t) => {
  const hostiles = await Promise.all(HOSTILE_HTTP2.map(hostileHttp2));
  await using on = await stage(hostiles, "  protocol: HTTP2\n");
  for (const [i, { name, method = "GET", expect, greet }] of HOSTILE_HTTP2.entries()) {
    const probe = { path: `/${i}`, method, fields: [], expect, hidden: /EVIL/ };
    const clients = [["HTTP/1.1", askHttp1], ["HTTP/2", askHttp2]] as const;
    // A greeting attacks the first connection only, so the first client alone.
    for (const [version, ask] of greet === undefined ? clients : clients.slice(0, 1)) {
      await t.step(`${name}, to a client of ${version}`, async () => {
        await ask(on.port, probe);
        await assertNextUser(on.port, `/${i}`);
      });
    }
  }
  await t.step("the dataplane came through", () => assertNoCrash(on));
});

Deno.test("a backend that refuses a stream it has begun to answer gets a POST once", async () => {
  const seen: string[] = [];
  await using server = new Http2Backend((connection, { stream, fields, connection: number }) => {
    seen.push(fields.get(":path")!);
    // Below its stream at the first connection: not processed, so it may go out again.
    if (number === 1) connection.goAway(0, 0);
    else connection.headers(stream, [[":status", "204"]], true);
  });
  await server.listen();
  const port = freePort();
  await using _edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      `${backend("b", server.port)}  protocol: HTTP2\n`,
      route("all", "b"),
    ),
  }, { workers: 1 });
  const { answers } = await talk(port, [
    "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
  ]);
  assert.deepEqual(answers.map(({ status }) => status), [204]);
  assert.deepEqual(seen, ["/p", "/p"], "once processed, once proven not to be");
});
