import assert from "node:assert/strict";
import { LIMIT } from "../config/defaults.ts";
import { clientOfAddress, ClientShares } from "./client_shares.ts";
import { Overload } from "./overload.ts";

Deno.test("a client is an IPv4 address or an IPv6 network of 64 bits, however it is written", () => {
  const table: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:0:0:1::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["2001:db8:1::", "2001:db8:1:0::/64"],
  ];
  for (const [address, client] of table) assert.equal(clientOfAddress(address), client, address);
});

Deno.test("what one client keeps counts for it and in all, and others are not shed for it", () => {
  const overload = new Overload();
  const shares = new ClientShares(overload);
  const [heavy, light] = [shares.hold("192.0.2.1"), shares.hold("192.0.2.2")];
  heavy.buffered += LIMIT.bufferedPerClient;
  assert.equal(overload.buffered, LIMIT.bufferedPerClient);
  assert.deepEqual([heavy.admits(1), light.admits(1)], [false, true]);
  assert.deepEqual([heavy.shedding, light.shedding], [true, false]);
  overload.buffered += LIMIT.bufferedBytes * 0.9;
  overload.observe(0, 1);
  light.buffered += 1_000;
  assert.equal(light.shedding, false, "small shares are served while buffers are high");
  light.buffered += LIMIT.bufferedPerClient / 8;
  assert.equal(light.shedding, true);
  overload.observe(1, 1);
  assert.equal(shares.hold("192.0.2.3").shedding, true, "memory of the heap is everybody's");
});

Deno.test("shares are forgotten with their last holder", () => {
  const shares = new ClientShares(new Overload());
  const share = shares.hold("192.0.2.1");
  assert.equal(shares.hold("192.0.2.1"), share);
  share.leave();
  assert.equal(shares.size, 1);
  share.leave();
  assert.equal(shares.size, 0);
  assert.notEqual(shares.hold("192.0.2.1"), share);
});
