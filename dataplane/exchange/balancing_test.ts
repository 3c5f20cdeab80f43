import assert from "node:assert/strict";
import { HashKeyType, LbPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import { seeded } from "../../tests/support/candidates.ts";
import { GET, Harness, OK } from "../../tests/support/exchange_harness.ts";
import { PLAIN_LISTENER } from "../router/port_table.ts";
import { endpointAt, plainRef } from "../../tests/support/route_builders.ts";

function edge(lbPolicy: LbPolicy, random?: () => number): Harness {
  const out = new Harness(PLAIN_LISTENER, random);
  out.backend("b", {
    lbPolicy,
    hashKey: { type: HashKeyType.HASH_KEY_TYPE_COOKIE, name: "user" },
    endpoints: [1, 2, 3, 4].map((i) => endpointAt(`10.0.0.${i}`)),
  });
  out.route("/");
  return out;
}

/** Active requests by endpoint. */
function active(test: Harness): number[] {
  return test.backends.get("b")!.endpoints.map(({ load }) => load.active);
}

Deno.test("requests with the same cookie meet the same endpoint, others spread", () => {
  const test = edge(LbPolicy.LB_POLICY_MAGLEV);
  const used = new Map<string, Set<string>>();
  for (let i = 0; i < 60; i++) {
    const user = `u${i % 20}`;
    const before = test.connects;
    test.client().receive(GET.replace("\r\n\r\n", `\r\nCookie: user=${user}\r\n\r\n`));
    assert.equal(test.connects, before + 1);
    const { host } = test.transport.opened[before].options;
    used.set(user, (used.get(user) ?? new Set()).add(host));
  }
  assert.ok([...used.values()].every((hosts) => hosts.size === 1));
  assert.equal(new Set([...used.values()].flatMap((hosts) => [...hosts])).size, 4);
});

Deno.test("what is in progress counts, and counts no more however a request ends", () => {
  const test = edge(LbPolicy.LB_POLICY_LEAST_CONNECTIONS);
  const clients = Array.from({ length: 8 }, () => {
    const client = test.client();
    client.receive(GET);
    return client;
  });
  assert.deepEqual(active(test), [2, 2, 2, 2]);
  test.upstream(0).receive(OK);
  clients[1].gone();
  test.upstream(2).gone(new Error("reset"));
  test.transport.opened[3].connection.gone(new Error("refused"));
  // One was answered, one left, one failed; the one that found no connection went elsewhere.
  assert.equal(active(test).reduce((sum, count) => sum + count, 0), 5);
  test.pass(200_000);
  assert.deepEqual(active(test), [0, 0, 0, 0]);
  assert.equal(test.log().length, 8);
});

Deno.test("EWMA leaves an endpoint that fails fast", () => {
  const test = edge(LbPolicy.LB_POLICY_EWMA, seeded(1));
  const established = new Set<number>();
  let failed = 0;
  for (let i = 0; i < 200; i++) {
    const client = test.client();
    client.receive(GET);
    test.transport.opened.forEach(({ options: { host }, connection }, index) => {
      if (!established.has(index)) test.upstream(index);
      established.add(index);
      if (connection.take() === "") return;
      if (host === "10.0.0.1") failed++;
      connection.receive(host === "10.0.0.1" ? OK.replace("200", "500") : OK);
    });
    assert.match(client.take(), /^HTTP\/1\.1 (200|500) /);
  }
  assert.ok(failed > 0 && failed <= 5, `${failed} of 200`);
});

Deno.test("bug: a client that a cookie ties to a backend alternated between two of them", () => {
  const test = new Harness();
  const tied = (name: string, key: number) =>
    test.backend(name, {
      endpoints: [1, 2].map((i) => endpointAt(`10.${key}.0.${i}`)),
      affinity: {
        ...{ cookie: "STAY", path: "/", ttl: 0, sameSite: "", secure: false },
        key: new Uint8Array(32).fill(key),
      },
    });
  tied("blue", 1);
  tied("green", 2);
  const route = (green: number) =>
    test.route("/", { refs: [plainRef("blue"), { ...plainRef("green"), weight: green }] });
  route(1);
  const first = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const client = test.client();
    client.receive(GET);
    const { host } = test.transport.opened[test.connects - 1].options;
    first.add(host.slice(0, 4));
    test.upstream(test.connects - 1).receive(
      OK.replace("Length: 2", "Length: 2\r\nConnection: close"),
    );
    const cookie = /set-cookie: (STAY=[^;]+)/i.exec(client.take())![1];
    for (let again = 0; again < 5; again++) {
      client.receive(GET.replace("\r\n\r\n", `\r\nCookie: a=b; ${cookie}\r\n\r\n`));
      assert.equal(test.transport.opened[test.connects - 1].options.host, host);
      test.upstream(test.connects - 1).receive(
        OK.replace("Length: 2", "Length: 2\r\nConnection: close"),
      );
      assert.doesNotMatch(client.take(), /set-cookie/i);
    }
  }
  assert.equal(first.size, 2);
});
