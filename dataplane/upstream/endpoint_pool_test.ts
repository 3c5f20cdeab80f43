import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { FakeTransport } from "../../tests/support/fake_transport.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";
import { TurnEnd } from "../loop/turn_end.ts";
import { countersOf, countersSize, GLOBAL } from "../observe/counters.ts";
import { Overload } from "../loop/overload.ts";
import { Ticker } from "../loop/ticker.ts";
import { AddressBook } from "./address_book.ts";
import { type BackendTransport, PLAIN_HTTP1 } from "./backend_transport.ts";
import { EndpointPool } from "./endpoint_pool.ts";
import type { PoolLimits } from "./pool_context.ts";
import type { UpstreamStream, UpstreamUser } from "./upstream_stream.ts";

/** A user that sends one request as soon as it has a stream. */
class User implements UpstreamUser {
  readonly share = null;
  readonly stalled = false;
  readonly idleTimeout = 0;
  readonly responseTimeout = LIMIT.responseHead;
  readonly upstreamMethod = "GET";
  readonly contentExpected: boolean = true;
  readonly upgrade = "";
  stream: UpstreamStream | null = null;
  failure = "";
  proxySource(): ProxyEndpoint {
    return { address: "192.0.2.1", port: 4711 };
  }
  proxyDestination(): ProxyEndpoint {
    return { address: "192.0.2.254", port: 80 };
  }
  onStream(stream: UpstreamStream): void {
    assert.equal(this.stream, null, "one stream only");
    this.stream = stream;
    stream.send(Buffer.from("request"), null, false, true);
  }
  onInterim(): void {}
  onResponse(): void {}
  onResponseBody(): void {}
  onResponseTrailers(): void {}
  onUpgraded(): void {}
  onFault(): void {}
  evict(): void {}
  onUpstreamDrain(): void {}
  onUpstreamFailure(failure: string): void {
    this.failure = failure;
  }
}

const OK = "HTTP/1.1 204 No\r\n\r\n";

function setup(changes: Partial<PoolLimits> = {}, how: BackendTransport = PLAIN_HTTP1) {
  const transport = new FakeTransport();
  const ticker = new Ticker();
  const counters = countersOf(new SharedArrayBuffer(countersSize(1)), 0);
  const limits: PoolLimits = {
    connectTimeout: 1000,
    idleTimeout: 5000,
    lifetime: 1_000_000,
    maxConnections: 2,
    maxIdle: 2,
    maxPending: 2,
    maxRequests: 1000,
    prewarm: 0,
    ...changes,
  };
  const pool = new EndpointPool("10.0.0.1", 80, how, limits, {
    transport,
    ticker,
    counters,
    turnEnd: new TurnEnd(() => {}),
    overload: new Overload(),
    addresses: new AddressBook(() => Promise.reject(new Error("no names")), () => ticker.now),
    random: () => 0.5,
  });
  const acquire = (fresh = false) => {
    const user = new User();
    return { user, taken: pool.acquire(user, fresh) };
  };
  return { transport, ticker, counters, pool, acquire };
}

Deno.test("the connection used last is used next, unless a fresh one is asked for", () => {
  const { transport, pool, acquire, counters } = setup();
  acquire();
  acquire();
  const [first, last] = [transport.establish(0), transport.establish(1)];
  first.receive(OK);
  last.receive(OK);
  last.take();
  assert.equal(pool.idleConnections, 2);
  acquire();
  assert.equal(last.take(), "request");
  assert.equal(counters[GLOBAL.upstreamReused], 1);
  const { taken } = setup().acquire(true);
  assert.equal(taken, "opening");
});

Deno.test("beyond its limits the pool queues, then refuses, and serves the queue in order", () => {
  const { transport, pool, acquire } = setup();
  const users = Array.from({ length: 5 }, () => acquire());
  assert.deepEqual(users.map(({ taken }) => taken), [
    "opening",
    "opening",
    "queued",
    "queued",
    "full",
  ]);
  assert.deepEqual([transport.opened.length, pool.waiting], [2, 4]);
  const served = () => users.map(({ user }) => user.stream !== null);
  const first = transport.establish(0);
  assert.deepEqual(served(), [true, false, false, false, false]);
  // Whichever connection is free serves whoever waits longest, also a user one is being opened for.
  first.receive(OK);
  assert.deepEqual(served(), [true, true, false, false, false]);
  first.receive(OK);
  assert.deepEqual(served(), [true, true, true, false, false]);
  first.receive(OK);
  assert.deepEqual(served(), [true, true, true, true, false]);
  assert.equal(pool.waiting, 0);
});

Deno.test("a connection that cannot be opened fails its own user and opens one for the next", () => {
  const { transport, acquire, counters } = setup({ maxConnections: 1 });
  const [first, second] = [acquire(), acquire()];
  transport.opened[0].connection.gone(new Error("refused"));
  assert.deepEqual([first.user.failure, second.user.failure], ["connect_failed", ""]);
  assert.equal(transport.opened.length, 2);
  transport.establish(1);
  assert.ok(second.user.stream !== null);
  assert.equal(counters[GLOBAL.upstreamConnectFailures], 1);
  assert.equal(counters[GLOBAL.upstreamOpen], 1);
});

Deno.test("a cancelled user is told nothing; its connection serves others", () => {
  const { transport, pool, acquire } = setup();
  const { user } = acquire();
  pool.cancel(user);
  transport.establish(0);
  assert.equal(user.stream, null);
  assert.equal(pool.idleConnections, 1);
  const late = setup();
  const gone = late.acquire();
  late.pool.cancel(gone.user);
  late.transport.opened[0].connection.gone(new Error("refused"));
  assert.equal(gone.user.failure, "");
  const queued = setup({ maxConnections: 1 });
  const { user: first } = queued.acquire();
  const { user: second } = queued.acquire();
  queued.pool.cancel(second);
  queued.transport.establish(0).receive(OK);
  assert.ok(first.stream !== null && second.stream === null);
  assert.deepEqual([queued.pool.waiting, queued.pool.idleConnections], [0, 1]);
});

Deno.test("idle connections beyond the limit or their time are closed", () => {
  const { transport, ticker, pool, acquire, counters } = setup({ maxIdle: 1 });
  acquire();
  acquire();
  const [a, b] = [transport.establish(0), transport.establish(1)];
  a.receive(OK);
  b.receive(OK);
  assert.deepEqual([a.closed, b.closed, pool.idleConnections], [false, true, 1]);
  ticker.tick(4999);
  assert.equal(a.closed, false);
  ticker.tick(5000);
  assert.deepEqual([a.closed, pool.idleConnections, pool.connections], [true, 0, 0]);
  assert.equal(counters[GLOBAL.upstreamOpen], 0);
});

Deno.test("an idle connection that the backend closed is never handed out", () => {
  const { transport, pool, acquire } = setup();
  acquire();
  const stream = transport.establish(0);
  stream.receive(OK);
  stream.events.onEnd();
  assert.deepEqual([stream.closed, pool.idleConnections, pool.connections], [true, 0, 0]);
  acquire();
  assert.equal(transport.opened.length, 2);
});

Deno.test("draining ends idle connections now and busy ones after their answer", () => {
  const { transport, pool, acquire } = setup();
  acquire();
  acquire();
  const [idle, busy] = [transport.establish(0), transport.establish(1)];
  idle.receive(OK);
  pool.drain();
  assert.deepEqual([idle.closed, busy.closed], [true, false]);
  busy.receive(OK);
  assert.deepEqual([busy.closed, pool.connections], [true, 0]);
});

Deno.test("a connection that takes too long fails its user, and what comes late serves nobody", () => {
  const { transport, ticker, pool, acquire, counters } = setup();
  const { user } = acquire();
  ticker.tick(999);
  assert.equal(user.failure, "");
  ticker.tick(1000);
  assert.equal(user.failure, "connect_timeout");
  assert.equal(transport.opened[0].connection.closed, true);
  transport.establish(0);
  assert.deepEqual([user.stream, pool.connections], [null, 0]);
  assert.equal(counters[GLOBAL.upstreamOpen], 0);
});

Deno.test("a handshake that fails is told apart from a connection that fails", () => {
  const { transport, acquire } = setup();
  const { user } = acquire();
  transport.opened[0].connection.gone(Object.assign(new Error("bad certificate"), { code: "TLS" }));
  assert.equal(user.failure, "upstream_tls");
});

Deno.test("prewarmed connections wait for the first requests", () => {
  const { transport, pool, acquire } = setup({ prewarm: 2 });
  assert.equal(transport.opened.length, 2);
  transport.establish(0);
  transport.establish(1);
  assert.equal(pool.idleConnections, 2);
  assert.equal(acquire().taken, "given");
});

Deno.test("a fresh connection is to be had even if idle ones take all places", () => {
  const { transport, acquire } = setup();
  acquire();
  acquire();
  const [first, second] = [transport.establish(0), transport.establish(1)];
  first.receive(OK);
  second.receive(OK);
  // In the queue it would wait for an answer that none of the idle connections is going to have.
  assert.equal(acquire(true).taken, "opening");
});

Deno.test("who waits for a fresh connection in a full pool gets one when another's answer ends", () => {
  const { transport, acquire } = setup({ maxConnections: 1 });
  acquire();
  const { user, taken } = acquire(true);
  assert.equal(taken, "queued");
  transport.establish(0).receive(OK);
  assert.equal(transport.opened.length, 2, "the one that has served makes room");
  transport.establish(1);
  assert.ok(user.stream !== null);
});

Deno.test("a connection that served its number of requests, or its time, serves no other", () => {
  const counted = setup({ maxRequests: 1 });
  counted.acquire();
  const first = counted.transport.establish(0);
  first.receive(OK);
  assert.deepEqual([first.closed, counted.pool.idleConnections], [true, 0]);
  const aged = setup({ lifetime: 2000 });
  aged.acquire();
  const second = aged.transport.establish(0);
  aged.ticker.tick(2000);
  second.receive(OK);
  assert.deepEqual([second.closed, aged.pool.idleConnections], [true, 0]);
});

Deno.test("with a PROXY header each user has a connection of its own, headed by its address", () => {
  const { transport, pool, acquire } = setup({}, { ...PLAIN_HTTP1, proxyProtocol: 1 });
  const users = [acquire(), acquire(), acquire()];
  assert.deepEqual(users.map(({ taken }) => taken), ["opening", "opening", "full"]);
  assert.equal(
    Buffer.from(transport.opened[0].options.preamble!).toString(),
    "PROXY TCP4 192.0.2.1 192.0.2.254 4711 80\r\n",
  );
  // The second is there first: it must not go to the first user.
  const second = transport.establish(1);
  assert.deepEqual([users[0].user.stream !== null, users[1].user.stream !== null], [false, true]);
  second.receive(OK);
  assert.deepEqual([second.closed, pool.idleConnections], [true, 0]);
  pool.cancel(users[0].user);
  assert.equal(transport.opened[0].connection.closed, true);
  assert.equal(pool.connections, 0);
});

Deno.test("bug: a connection was used again behind the time that its backend keeps it", () => {
  const times: [string, number][] = [
    ["timeout=1", 500],
    ["timeout=3, max=100", 2_000],
    ['max=5, timeout="2"', 1_000],
    ["timeout=x", 5_000],
    ["", 5_000],
  ];
  for (const [field, most] of times) {
    const { transport, ticker, pool, acquire } = setup();
    acquire();
    const fields = field === "" ? "" : `Keep-Alive: ${field}\r\n`;
    transport.establish(0).receive(`HTTP/1.1 204 No\r\n${fields}\r\n`);
    for (let now = 0; now < most; now += 100) {
      assert.equal(pool.idleConnections, 1, `${field} at ${now}`);
      while (ticker.tick(now));
    }
    while (ticker.tick(most));
    assert.equal(pool.idleConnections, 0, field);
  }
});
