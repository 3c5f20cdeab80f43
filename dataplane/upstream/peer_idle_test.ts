import assert from "node:assert/strict";
import { PeerIdle } from "./peer_idle.ts";

Deno.test("the time after which a backend closes idle connections is learned from two of them", () => {
  const peer = new PeerIdle();
  assert.equal(peer.limit(0), Infinity);
  peer.closed(1_000, 1_000);
  assert.equal(peer.limit(1_000), Infinity);
  peer.closed(3_000, 1_100);
  assert.equal(peer.limit(3_000), 700);
  assert.equal(peer.limit(700_000), Infinity, "for ten minutes");
});

Deno.test("a backend that ends, or closes after each response, teaches nothing", () => {
  const peer = new PeerIdle();
  for (const idle of [5_000, 5_100, 4_900, 5_000]) peer.closed(10_000, idle);
  assert.equal(peer.limit(10_000), Infinity, "all at once");
  for (let now = 20_000; now < 30_000; now += 2_000) peer.closed(now, 10);
  assert.equal(peer.limit(30_000), Infinity, "at once");
  peer.closed(40_000, 900);
  peer.closed(50_000, 9_000);
  assert.equal(peer.limit(50_000), Infinity, "at any time");
});
