import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { FakeTransport } from "../../tests/support/fake_transport.ts";
import { countersOf, countersSize, GLOBAL } from "../observe/counters.ts";
import { Ticker } from "../worker/ticker.ts";
import { EndpointPool, type PoolLimits } from "./endpoint_pool.ts";
import type { UpstreamConnection } from "./upstream_connection.ts";
import type { UpstreamUser } from "./user.ts";

/** A user that sends one request as soon as it has a connection. */
class User implements UpstreamUser {
  readonly method = "GET";
  connection: UpstreamConnection | null = null;
  failure = "";
  onConnection(connection: UpstreamConnection): void {
    assert.equal(this.connection, null, "one connection only");
    this.connection = connection;
    connection.send(this, Buffer.from("request"), true);
  }
  onInterim(): void {}
  onResponse(): void {}
  onResponseBody(): void {}
  onUpstreamDrain(): void {}
  onUpstreamFailure(failure: string): void {
    this.failure = failure;
  }
}

const OK = "HTTP/1.1 204 No\r\n\r\n";

function setup(changes: Partial<PoolLimits> = {}) {
  const transport = new FakeTransport();
  const ticker = new Ticker();
  const counters = countersOf(new SharedArrayBuffer(countersSize(1)), 0);
  const pool = new EndpointPool("10.0.0.1", 80, {
    connectTimeout: 1000,
    idleTimeout: 5000,
    maxConnections: 2,
    maxIdle: 2,
    maxPending: 2,
    ...changes,
  }, { transport, ticker, counters });
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
  transport.establish(0).receive(OK);
  const last = transport.establish(1);
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
  assert.deepEqual([transport.opened.length, pool.waiting], [2, 2]);
  const first = transport.establish(0);
  first.receive(OK);
  assert.ok(users[2].user.connection !== null && users[3].user.connection === null);
  first.receive(OK);
  assert.ok(users[3].user.connection !== null);
  assert.equal(pool.waiting, 0);
});

Deno.test("a connection that cannot be opened fails its own user and opens one for the next", () => {
  const { transport, acquire, counters } = setup({ maxConnections: 1 });
  const [first, second] = [acquire(), acquire()];
  transport.opened[0].connection.gone(new Error("refused"));
  assert.deepEqual([first.user.failure, second.user.failure], ["connect_failed", ""]);
  assert.equal(transport.opened.length, 2);
  transport.establish(1);
  assert.ok(second.user.connection !== null);
  assert.equal(counters[GLOBAL.upstreamConnectFailures], 1);
  assert.equal(counters[GLOBAL.upstreamOpen], 1);
});

Deno.test("a cancelled user is told nothing; its connection serves others", () => {
  const { transport, pool, acquire } = setup();
  const { user } = acquire();
  pool.cancel(user);
  transport.establish(0);
  assert.equal(user.connection, null);
  assert.equal(pool.idleConnections, 1);
  const late = setup();
  const gone = late.acquire();
  late.pool.cancel(gone.user);
  late.transport.opened[0].connection.gone(new Error("refused"));
  assert.equal(gone.user.failure, "");
  const queued = setup({ maxConnections: 1 });
  queued.acquire();
  queued.pool.cancel(queued.acquire().user);
  assert.equal(queued.pool.waiting, 0);
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
