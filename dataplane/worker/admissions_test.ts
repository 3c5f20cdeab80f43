import assert from "node:assert/strict";
import { LIMIT } from "../config/defaults.ts";
import { ClientShares } from "../loop/client_shares.ts";
import { Overload } from "../loop/overload.ts";
import type { Admission } from "../net/transport.ts";
import { Admissions, type CountedPort } from "./admissions.ts";

class TestPort implements CountedPort {
  open = 0;
  constructor(
    readonly limits: { maxConnections?: number; maxConnectionsPerClient?: number } = {},
  ) {}
  limit(name: "maxConnections" | "maxConnectionsPerClient", fallback: number): number {
    return this.limits[name] ?? fallback;
  }
}

function scene(limits: TestPort["limits"] = {}) {
  const shares = new ClientShares(new Overload());
  const counted = { refused: 0 };
  const admissions = new Admissions(shares, () => counted.refused++);
  const port = new TestPort(limits);
  const evicted: Admission[] = [];
  const admit = (address: string, proxied = false) => {
    const admission = admissions.admit(port, address, proxied);
    if (admission !== null) {
      admission.evict = () => {
        evicted.push(admission);
        admission.release();
      };
    }
    return admission;
  };
  return { shares, counted, admissions, port, evicted, admit };
}

Deno.test("bug: connections counted only after their handshake", () => {
  const { admit, counted, port, shares } = scene({ maxConnectionsPerClient: 5 });
  const places = Array.from({ length: 40 }, () => admit("192.0.2.1"));
  assert.equal(places.filter((place) => place !== null).length, 5);
  assert.equal(counted.refused, 35);
  assert.notEqual(admit("192.0.2.2"), null, "another client has places of its own");
  places[0]!.release();
  places[0]!.release();
  assert.notEqual(admit("192.0.2.1"), null, "a place that was given back is free, once");
  assert.equal(admit("192.0.2.1"), null);
  assert.equal(port.open, 6);
  for (const place of places) place?.release();
  assert.equal(shares.size, 2);
});

Deno.test("connections of one IPv6 network of 64 bits are one client's", () => {
  const { admit } = scene({ maxConnectionsPerClient: 2 });
  assert.notEqual(admit("2001:db8::1"), null);
  assert.notEqual(admit("2001:db8:0:0:ffff::2"), null);
  assert.equal(admit("2001:db8::3"), null);
  assert.notEqual(admit("2001:db8:0:1::1"), null);
});

Deno.test("bug: the client that a PROXY header names was not the one that counted", () => {
  const { admit, counted, shares } = scene({ maxConnectionsPerClient: 2 });
  const places = Array.from({ length: 10 }, () => admit("10.0.0.1", true)!);
  assert.ok(places.every((place) => place !== null), "the sender of headers is no client");
  assert.deepEqual(places.map((place) => place.moveTo("192.0.2.1")), [
    true,
    true,
    ...Array(8).fill(false),
  ]);
  assert.equal(counted.refused, 8);
  for (const place of places) place.release();
  assert.equal(shares.size, 0, "nothing is left of clients without connections");
});

Deno.test("half-open connections of a client are bounded, and the oldest gives way", () => {
  const { admit, admissions, evicted } = scene();
  const places = Array.from({ length: LIMIT.handshakesPerClient + 3 }, () => admit("192.0.2.1")!);
  assert.deepEqual(evicted, places.slice(0, 3));
  assert.equal(admissions.pending, LIMIT.handshakesPerClient);
  for (const place of places) place.establish();
  assert.equal(admissions.pending, 0);
  assert.notEqual(admit("192.0.2.1"), null);
  assert.equal(evicted.length, 3, "established ones are not half open");
});

Deno.test("half-open connections of all are bounded, and the client with the most gives way", () => {
  const { admit, admissions, evicted } = scene();
  const worst = Array.from({ length: 60 }, () => admit("192.0.2.1")!);
  for (let i = 0; admissions.pending < LIMIT.handshakes; i++) admit(`198.51.100.${i % 200}`);
  const honest = admit("203.0.113.1");
  assert.notEqual(honest, null);
  assert.deepEqual(evicted, [worst[0]]);
});

Deno.test("an evicted connection that is established meanwhile gives nothing back twice", () => {
  const { admit, admissions, port } = scene();
  const place = admit("192.0.2.1")!;
  place.establish();
  place.establish();
  place.release();
  assert.deepEqual([admissions.size, admissions.pending, port.open], [0, 0, 0]);
  assert.equal(place.moveTo("192.0.2.2"), false);
});
