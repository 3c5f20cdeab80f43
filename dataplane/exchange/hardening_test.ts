/** What a stranger could use against the edge, by what it must lead to instead. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  frameBackend,
  frameClient,
  headersFrame,
  http2Edge,
  pseudo,
  windowFrame,
} from "../../tests/support/http2_frames.ts";
import { Harness, harness, OK } from "../../tests/support/exchange_harness.ts";
import { LIMIT } from "../config/defaults.ts";
import { REQUESTS } from "../loop/client_turns.ts";
import { Setting } from "../http2/frame.ts";
import { makeEdit } from "../message/field_edit.ts";
import { PLAIN_LISTENER } from "../router/port_table.ts";

const request = (target: string, fields = "", method = "GET") =>
  `${method} ${target} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;

/** Status that a request on a connection of its own gets without a backend, 0 when it goes to one. */
function statusOf(on: Harness, text: string): number {
  const client = on.client();
  client.receive(text);
  return Number(/^HTTP\/1.1 (\d+)/.exec(client.take())?.[1] ?? 0);
}

/** A listener with an open rule for everything and one that restricts /admin. */
function guarded(settings = PLAIN_LISTENER): Harness {
  const on = new Harness(settings);
  on.backend("b");
  on.route("/");
  on.route("/admin", { restricts: true });
  return on;
}

Deno.test("bug: escaped slashes and ;params led round the rule that restricts a prefix", () => {
  const bypasses = [
    "/admin%2Fx",
    "/%2Fadmin/x",
    "/x%2F..%2Fadmin",
    "/x%5Cadmin",
    "/admin;a=b/x",
    "/admin;/x",
    "/;a/admin/x",
    "/x/..;/admin",
    "/ADMIN%2fx",
    "/files/a%2Fb",
    "//admin;x/",
  ];
  for (const path of bypasses) assert.equal(statusOf(guarded(), request(path)), 400, path);
  const legal = ["/admin/x", "/shop;jsessionid=1", "/shop;a=b/cart", "/admin/x;v=1", "/a%20b"];
  for (const path of legal) assert.equal(statusOf(guarded(), request(path)), 0, path);
});

Deno.test("paths are kept as they are where nothing restricts, and where that is asked for by word", () => {
  for (const path of ["/admin%2Fx", "/admin;a=b/x", "/files/a%2Fb"]) {
    assert.equal(statusOf(harness(), request(path)), 0, path);
  }
  const kept = guarded({ ...PLAIN_LISTENER, escapedSlashes: "keep" });
  assert.equal(statusOf(kept, request("/files/a%2Fb")), 0);
  assert.equal(statusOf(kept, request("/admin;a=b/x")), 400, "parameters are another matter");
});

Deno.test("bug: a Host longer than any name was looked up label by label", () => {
  const long = (length: number) => "a.".repeat(length / 2).slice(0, length - 1) + "x";
  const ask = (host: string) => statusOf(harness(), `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  assert.equal(ask(long(254)), 0);
  assert.equal(ask(long(256)), 400);
  assert.equal(ask(long(60_000)), 400);
  assert.equal(ask(`${"a".repeat(63)}.example.com`), 0);
  assert.equal(ask(`${"a".repeat(64)}.example.com`), 400);
  assert.equal(ask(`${long(250)}:8080`), 0);
  assert.equal(ask("[::1]:8080"), 0);
  const absolute = `GET http://${long(60_000)}/ HTTP/1.0\r\n\r\n`;
  assert.equal(statusOf(harness(), absolute), 400);
});

Deno.test("bug: a long authority over HTTP/2 was looked up label by label", () => {
  const client = frameClient(harness());
  client.headers(1, pseudo("GET", "/", "a.".repeat(5_000) + "x"), true);
  assert.equal(client.on(1).status, 400);
});

Deno.test("bug: a long list of names in Connection was compared with every field", () => {
  const ask = (tokens: number) =>
    statusOf(harness(), request("/", `Connection: ${"a,".repeat(tokens)}\r\n`));
  assert.equal(ask(32), 0);
  assert.equal(ask(33), 400);
  assert.equal(ask(30_000), 400);
  const lines = "Connection: a,b,c\r\n".repeat(11);
  assert.equal(statusOf(harness(), request("/", lines)), 400, "on several lines too");
});

/** What the backend gets of a request. */
function forwarded(on: Harness, text: string): string {
  on.client().receive(text);
  return on.upstream(on.connects - 1).take();
}

const IDENTITY = [
  "X-Forwarded-User: root",
  "X-Forwarded-Email: a@b",
  "X-Forwarded-Groups: admins",
  "X-Forwarded-By: x",
  "X-Forwarded-Anything: x",
  "Remote-User: root",
  "X-Remote-Group: admins",
  "X-Auth-Request-Email: a@b",
  "X-WEBAUTH-USER: root",
  "Proxy: http://evil/",
  "X-Original-URL: /admin",
  "X-Rewrite-URL: /admin",
];

Deno.test("bug: fields by which proxies name users and targets reached backends from strangers", () => {
  const text = request("/", `${IDENTITY.join("\r\n")}\r\nX-Mine: kept\r\n`);
  const got = forwarded(harness(), text).toLowerCase();
  assert.match(got, /x-mine: kept/);
  for (const field of IDENTITY) {
    const [name] = field.toLowerCase().split(":");
    assert.ok(!got.includes(`${name}:`), field);
    const nominated = request("/", `Connection: ${name}\r\n`);
    assert.equal(statusOf(harness(), nominated), 400, `Connection names ${name}`);
    const disguised = request("/", `${name.replaceAll("-", "_")}: x\r\n`);
    if (name.includes("-")) assert.equal(statusOf(harness(), disguised), 400, disguised);
  }
});

Deno.test("a trusted proxy may name users, and a listener may distrust more fields", () => {
  const text = request("/", "Remote-User: ann\r\nX-Auth-Request-Email: a@b\r\nX_Tenant: 7\r\n");
  const untrustedFields = makeEdit(new Set(["x-tenant"]), new Uint8Array(0), true);
  const make = (trusted: boolean) => {
    const trustedProxies = { has: () => trusted };
    const on = new Harness({ ...PLAIN_LISTENER, trustedProxies, untrustedFields });
    on.backend("b");
    on.route("/");
    return forwarded(on, text).toLowerCase();
  };
  assert.match(make(true), /remote-user: ann[^]*x-auth-request-email: a@b/);
  assert.match(make(true), /x_tenant: 7/);
  assert.doesNotMatch(make(false), /ann|tenant/);
});

Deno.test("bug: content that a backend leaves unread was the next client's request", () => {
  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS"]) {
    const on = harness();
    const smuggled = request("/smuggled");
    const first = on.client();
    first.receive(request("/", `Content-Length: ${smuggled.length}\r\n`, method) + smuggled);
    const backend = on.upstream(0);
    assert.match(backend.take(), /connection: close\r\n/);
    backend.receive(method === "HEAD" ? OK.replace("ok", "") : OK);
    assert.match(first.take(), /200 OK/);
    assert.ok(backend.closed, `${method}: the connection is closed`);
    on.client().receive(request("/next"));
    assert.match(on.upstream(1).take(), /^GET \/next /, "on a new connection");
  }
});

Deno.test("connections are kept after content that backends read", () => {
  const on = harness({ bodyMethods: ["GET"] });
  for (const method of ["POST", "GET"]) {
    const client = on.client();
    client.receive(request("/", "Content-Length: 2\r\n", method) + "hi");
    const backend = on.upstream(0);
    assert.doesNotMatch(backend.take(), /connection: close/);
    backend.receive(OK);
  }
  assert.equal(on.connects, 1);
  const plain = harness();
  for (let i = 0; i < 2; i++) {
    plain.client().receive(request("/"));
    plain.upstream(0).take();
    plain.upstream(0).receive(OK);
  }
  assert.equal(plain.connects, 1);
});

Deno.test("bug: a backend's head over the limit passed when it came in one piece", () => {
  const on = harness();
  const client = on.client();
  client.receive(request("/"));
  const field = `x: ${"y".repeat(1_000)}\r\n`;
  const fields = field.repeat(Math.ceil(LIMIT.headBytes / field.length));
  on.upstream(0).receive(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`);
  assert.match(client.take(), /^HTTP\/1.1 502 /);
});

Deno.test("bug: responses that a backend cut counted against the HTTP/2 client", () => {
  const edge = harness();
  const client = frameClient(edge);
  for (let i = 0; i < 200; i++) {
    client.get(1 + 2 * i);
    const backend = edge.upstream(i);
    backend.receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
    backend.gone();
  }
  assert.equal(client.goAway, -1);
  assert.equal(client.on(399).resets.length, 1);
});

/** A client of HTTP/2 that takes a byte of each response, and asks for as many as it may. */
function greedy(on: Harness, streams: number): ReturnType<typeof frameClient> {
  const client = frameClient(on, [[Setting.InitialWindowSize, 1]]);
  for (let i = 0; i < streams; i++) client.get(1 + 2 * i, "/greedy");
  return client;
}

Deno.test("bug: responses of an HTTP/2 backend filled memory although the client read none", () => {
  const on = http2Edge();
  const clients = Array.from({ length: 11 }, () => greedy(on, 100));
  const backends = Array.from({ length: on.connects }, (_, i) => frameBackend(on, i));
  const chunk = Buffer.alloc(16_384);
  for (const backend of backends) {
    backend.send(windowFrame(0, 1 << 30));
    for (const [id] of [...backend.streams]) {
      backend.headers(id, [[":status", "200"]], false);
      // As much as its window allows and not a byte more.
      for (let sent = 0; sent < LIMIT.upstreamInitialWindow; sent += chunk.length) {
        backend.data(id, chunk, false);
      }
      assert.equal(
        backend.updates.get(id) ?? 0,
        0,
        "no window for content that the client has not read",
      );
    }
  }
  assert.ok(on.overload.buffered <= LIMIT.bufferedPerClient, `${on.overload.buffered}`);
  // The client whose share is full is refused, another one is served.
  assert.equal(statusOf(on, request("/")), 503);
  const other = on.client(null, "198.51.100.7");
  other.receive(request("/"));
  assert.doesNotMatch(other.take(), /503/);
  for (const client of clients) client.connection.gone();
  assert.equal(on.overload.buffered, 0);
});

Deno.test("content that a client takes again is asked for again", () => {
  const on = http2Edge();
  const client = greedy(on, 1);
  const backend = frameBackend(on, 0);
  const [[id]] = [...backend.streams];
  backend.headers(id, [[":status", "200"]], false);
  backend.data(id, Buffer.alloc(LIMIT.upstreamInitialWindow), false);
  assert.equal(backend.updates.get(id) ?? 0, 0);
  client.grant(1, 1 << 20);
  backend.read();
  assert.equal(backend.updates.get(id), LIMIT.streamWindow, "and it is a transfer from now on");
});

Deno.test("bug: all requests of one read held up those of another client", () => {
  const on = http2Edge();
  const attacker = frameClient(on);
  on.client(null, "198.51.100.7");
  const ids = Array.from({ length: 99 }, (_, i) => 1 + 2 * i);
  const another = frameClient(on);
  attacker.send(...ids.map((id) => headersFrame(id, pseudo("GET"), true)));
  const backend = frameBackend(on, 0);
  assert.equal(backend.streams.size, REQUESTS);
  // Its other connections take part in the same turn.
  another.get(1);
  backend.read();
  assert.equal(backend.streams.size, REQUESTS);
  for (let turn = 2; backend.streams.size < ids.length + 1; turn++) {
    on.pass(1);
    backend.read();
    assert.ok(backend.streams.size <= turn * REQUESTS, `${backend.streams.size} in turn ${turn}`);
    assert.ok(turn < 10);
  }
  for (const [id] of [...backend.streams]) backend.headers(id, [[":status", "204"]], true);
  attacker.read();
  for (const id of ids) assert.equal(attacker.on(id).status, 204);
});

Deno.test("bug: unfinished requests of one client held all connections to an endpoint", () => {
  const on = harness({}, { maxConnectionsPerEndpoint: 8, maxPendingRequests: 8 });
  const attackers = Array.from({ length: 16 }, () => {
    const client = on.client();
    client.receive(request("/", "Content-Length: 9\r\n", "POST"));
    return client;
  });
  for (let i = 0; i < 8; i++) on.upstream(i).take();
  assert.equal(on.connects, 8);
  const newcomer = on.client(null, "198.51.100.7");
  newcomer.receive(request("/newcomer"));
  assert.equal(
    on.connects,
    9,
    "a connection is opened in the place of one that waits for its client",
  );
  assert.match(on.upstream(8).take(), /^GET \/newcomer /);
  on.upstream(8).receive(OK);
  assert.match(newcomer.take(), /200 OK/);
  const evicted = attackers.filter((client) => client.take().includes(" 503 "));
  assert.equal(evicted.length, 1, "the only one that gave way");
});

Deno.test("requests of one client in progress are not ended for another, who waits for the next turn", () => {
  const on = harness({}, { maxConnectionsPerEndpoint: 2, maxPendingRequests: 4 });
  const busy = Array.from({ length: 6 }, () => {
    const client = on.client();
    client.receive(request("/busy"));
    return client;
  });
  for (let i = 0; i < 2; i++) on.upstream(i).take();
  const newcomer = on.client(null, "198.51.100.7");
  newcomer.receive(request("/newcomer"));
  assert.equal(newcomer.take(), "", "it has a place in the full queue");
  assert.equal(busy.filter((client) => client.take().includes(" 503 ")).length, 1);
  on.upstream(0).receive(OK);
  on.upstream(1).receive(OK);
  const served = [on.upstream(0).take(), on.upstream(1).take()].join("");
  assert.match(served, /GET \/newcomer /, "before all that one client has waiting");
});

Deno.test("bug: a body that trickles was waited for without end", () => {
  const on = harness();
  const client = on.client();
  client.receive(request("/", "Content-Length: 1000000\r\n", "POST"));
  on.upstream(0).take();
  let answer = "";
  for (let i = 0; answer === "" && i < 10; i++) {
    on.pass(LIMIT.bodyProgress / 2 + 1);
    client.receive("x");
    answer = client.take();
  }
  assert.match(answer, /^HTTP\/1.1 408 /);
});

Deno.test("clients behind a trusted proxy have shares of their own", () => {
  const trustedProxies = { has: (address: string) => address === "192.0.2.1" };
  const on = new Harness({ ...PLAIN_LISTENER, trustedProxies });
  on.backend("b", { maxConnectionsPerEndpoint: 4, maxPendingRequests: 4 });
  on.route("/");
  const ask = (address: string) => {
    const client = on.client();
    const fields = `X-Forwarded-For: ${address}\r\nContent-Length: 9\r\n`;
    client.receive(request("/", fields, "POST"));
    return client;
  };
  const heavy = Array.from({ length: 8 }, () => ask("203.0.113.1"));
  for (let i = 0; i < 4; i++) on.upstream(i).take();
  ask("203.0.113.2");
  assert.match(on.upstream(4).take(), /x-forwarded-for: 203.0.113.2/);
  for (const client of heavy) client.gone();
  assert.equal(on.clients.size, 1, "shares are forgotten with their last request");
});
