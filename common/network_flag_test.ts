import assert from "node:assert/strict";
import { networksOf } from "./network_flag.ts";

Deno.test("networks of a flag are listed with commas, and a wrong one is named with its flag", () => {
  assert.deepEqual(networksOf("x", ""), []);
  assert.deepEqual(networksOf("x", "10.0.0.0/8, 2001:db8::/32"), ["10.0.0.0/8", "2001:db8::/32"]);
  assert.throws(() => networksOf("allowed-upstreams", "10.0.0.0/33"), {
    code: "FLAG",
    message: '--allowed-upstreams: "10.0.0.0/33" is not an address or CIDR',
  });
});
