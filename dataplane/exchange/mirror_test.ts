import assert from "node:assert/strict";
import { GET, Harness, OK } from "../../tests/support/exchange_harness.ts";
import type { FakeConnection } from "../../tests/support/fake_transport.ts";
import { Backend, HashKeyType, LbPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import { LIMIT } from "../config/defaults.ts";
import { GLOBAL } from "../observe/counters.ts";
import { PLAIN_LISTENER } from "../router/port_table.ts";
import { endpointAt } from "../../tests/support/route_builders.ts";

const POST = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";

/** A worker whose requests to "b" are copied to "m". */
function edge(percent = 100, random = () => 0, withoutCredentials = false): Harness {
  const out = new Harness(PLAIN_LISTENER, random);
  out.backend("b");
  out.backend("m", { endpoints: [endpointAt("10.9.9.9")] });
  const mirrors = [{ backend: "m", percent, withoutCredentials }];
  out.route("/", { filters: { redirect: null, path: null, answer: null, mirrors } });
  return out;
}

/** The connections to the mirror so far, opened. */
function mirrorOf(test: Harness): FakeConnection {
  const index = test.transport.opened.findIndex(({ options }) => options.host === "10.9.9.9");
  assert.ok(index >= 0, "no copy was sent");
  return test.upstream(index);
}

function copies(test: Harness): number {
  return test.transport.opened.filter(({ options }) => options.host === "10.9.9.9").length;
}

Deno.test("copies go without credentials where that is asked for", () => {
  const credentials = "Authorization: Bearer x\r\nCookie: a=b\r\nX-Mine: kept\r\n";
  for (const without of [true, false]) {
    const test = edge(100, () => 0, without);
    test.client().receive(`GET / HTTP/1.1\r\nHost: h\r\n${credentials}\r\n`);
    assert.match(test.upstream(0).take(), /Authorization: Bearer x\r\nCookie: a=b/);
    const copy = mirrorOf(test).take();
    assert.match(copy, /X-Mine: kept/);
    assert.equal(/authorization|cookie/i.test(copy), !without);
  }
});

Deno.test("a copy is what the backend gets, and its answer is nobody's", () => {
  for (const request of [GET, POST]) {
    const test = edge();
    const client = test.client();
    client.receive(request);
    const sent = test.upstream(0).take();
    const shadow = mirrorOf(test);
    assert.equal(shadow.take(), sent);
    shadow.receive("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno");
    assert.equal(client.take(), "");
    test.transport.opened[0].connection.receive(OK);
    assert.match(client.take(), /^HTTP\/1\.1 200 OK/);
    assert.equal(shadow.closed, false, "its connection serves the next copy");
    assert.deepEqual([test.counters[GLOBAL.mirrored], test.counters[GLOBAL.mirrorFailures]], [
      1,
      0,
    ]);
    assert.equal(test.log().length, 1);
  }
});

Deno.test("a body in pieces is copied when it is complete, with and without a length", () => {
  const test = edge();
  const client = test.client();
  client.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
  const backend = test.upstream(0);
  assert.equal(copies(test), 0);
  client.receive("2\r\nlo\r\n0\r\n\r\n");
  const shadow = mirrorOf(test);
  assert.match(shadow.take(), /transfer-encoding: chunked.*\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/s);
  assert.match(backend.take(), /3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n$/);
});

Deno.test("bodies above the limit, trailers and cut requests are not copied", () => {
  const large = edge();
  const client = large.client();
  const size = 200_000;
  client.receive(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`);
  large.upstream(0);
  for (let sent = 0; sent < size; sent += 20_000) client.receive("x".repeat(20_000));
  assert.equal(copies(large), 0);

  const cut = edge();
  const leaving = cut.client();
  leaving.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhel");
  cut.upstream(0);
  leaving.gone();
  assert.equal(copies(cut), 0);
});

Deno.test("a mirror that is slow, away or refuses takes nothing from the request", () => {
  const slow = edge();
  const client = slow.client();
  client.receive(GET);
  const backend = slow.upstream(0);
  const shadow = mirrorOf(slow);
  backend.receive(OK);
  assert.match(client.take(), /^HTTP\/1\.1 200 /);
  client.gone();
  slow.pass(31_000);
  assert.ok(shadow.closed);
  assert.equal(slow.counters[GLOBAL.mirrorFailures], 1);

  const away = edge();
  const other = away.client();
  other.receive(GET);
  away.transport.opened[1].connection.gone(new Error("refused"));
  away.upstream(0).receive(OK);
  assert.match(other.take(), /^HTTP\/1\.1 200 /);
  assert.equal(away.counters[GLOBAL.mirrorFailures], 1);

  const empty = edge();
  empty.backend("m", { endpoints: [] });
  const last = empty.client();
  last.receive(GET);
  empty.upstream(0).receive(OK);
  assert.match(last.take(), /^HTTP\/1\.1 200 /);
  assert.equal(empty.counters[GLOBAL.mirrorFailures], 1);

  for (const test of [slow, away, empty]) {
    for (const { endpoints } of test.backends.values()) {
      for (const { load } of endpoints) assert.equal(load.active, 0);
    }
  }
});

Deno.test("a percentage of the requests is copied", () => {
  let draw = 0;
  const test = edge(25, () => (draw++ % 100) / 100);
  for (let i = 0; i < 100; i++) test.client().receive(GET);
  assert.equal(test.counters[GLOBAL.mirrored], 25);
  const never = edge(0);
  never.client().receive(GET);
  assert.equal(copies(never), 0);
});

Deno.test("bug: a mirror that is closed gets no copies, by TLS or without", () => {
  const test = edge();
  const endpoints = [endpointAt("10.9.9.9")];
  test.backends.get("m")!.update(
    { ...Backend.fromPartial({ endpoints }), closedReason: "its authorities are missing" },
    [],
  );
  test.client().receive(GET);
  assert.equal(copies(test), 0);
  assert.equal(test.counters[GLOBAL.mirrorFailures], 1);
});

Deno.test("bug: copies are spread by what their own backend hashes", () => {
  const test = new Harness();
  test.backend("b");
  const hosts = ["10.9.0.1", "10.9.0.2", "10.9.0.3"];
  test.backend("m", {
    lbPolicy: LbPolicy.LB_POLICY_MAGLEV,
    hashKey: { type: HashKeyType.HASH_KEY_TYPE_HEADER, name: "x-user" },
    endpoints: hosts.map((host) => endpointAt(host)),
  });
  const mirrors = [{ backend: "m", percent: 100, withoutCredentials: false }];
  test.route("/", { filters: { redirect: null, path: null, answer: null, mirrors } });
  const placesOf = new Map<string, Set<string>>();
  for (let i = 0; i < 40; i++) {
    const user = `user-${i % 20}`;
    const before = test.connects;
    test.client().receive(`GET / HTTP/1.1\r\nHost: h\r\nX-User: ${user}\r\n\r\n`);
    const opened = test.transport.opened.slice(before).map(({ options }) => options.host);
    const places = placesOf.get(user) ?? new Set<string>();
    for (const host of opened.filter((host) => hosts.includes(host))) places.add(host);
    placesOf.set(user, places);
  }
  for (const [user, places] of placesOf) assert.equal(places.size, 1, user);
  assert.equal(new Set([...placesOf.values()].flatMap((places) => [...places])).size, 3);
});

Deno.test("bug: what copies keep is counted, and none is made without room for it", () => {
  const test = edge();
  const client = test.client();
  client.receive(POST);
  const backend = test.upstream(0);
  backend.receive(OK);
  const kept = test.overload.buffered;
  assert.ok(kept > 5, "the copy still waits for its connection");
  mirrorOf(test).receive(OK);
  assert.equal(test.overload.buffered, 0);
  assert.equal(copies(test), 1);
  const full = edge();
  full.overload.buffered = LIMIT.bufferedBytes - 10;
  full.client().receive(GET);
  assert.equal(copies(full), 0);
  assert.equal(full.counters[GLOBAL.mirrorFailures], 1);
});
