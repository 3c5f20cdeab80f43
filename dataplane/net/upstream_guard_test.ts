import assert from "node:assert/strict";
import { UpstreamGuard } from "./upstream_guard.ts";

const guard = new UpstreamGuard({
  blocked: ["127.0.0.0/8", "0.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10", "10.0.0.5"],
  allowed: ["127.0.0.9"],
});

for (
  const address of [
    "127.0.0.1",
    "0.0.0.0",
    "::1",
    "169.254.169.254",
    "fe80::1",
    "10.0.0.5",
    "::ffff:127.0.0.1",
  ]
) {
  Deno.test(`${address} is forbidden`, () => assert.ok(guard.forbids(address)));
}
for (const address of ["10.0.0.6", "2001:db8::1", "127.0.0.9", "localhost", ""]) {
  Deno.test(`"${address}" is not forbidden`, () => assert.ok(!guard.forbids(address)));
}

Deno.test("addresses of the cluster's nodes are forbidden, but where a flag allows them", () => {
  const guard = new UpstreamGuard({ blocked: [], allowed: ["10.1.0.2"] });
  assert.ok(!guard.forbids("10.1.0.1"));
  guard.setNode("one", ["10.1.0.1", "2001:db8::1", "no address"]);
  guard.setNode("two", ["10.1.0.2"]);
  assert.ok(guard.forbids("10.1.0.1"));
  assert.ok(guard.forbids("::ffff:10.1.0.1"));
  assert.ok(guard.forbids("2001:db8:0::1"));
  assert.ok(!guard.forbids("10.1.0.2"));
  guard.setNode("one", ["10.1.0.3"]);
  assert.ok(!guard.forbids("10.1.0.1"));
  assert.ok(guard.forbids("10.1.0.3"));
  guard.setNode("one", null);
  assert.ok(!guard.forbids("10.1.0.3"));
});
