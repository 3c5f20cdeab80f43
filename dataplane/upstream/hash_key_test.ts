import assert from "node:assert/strict";
import { HashKey, HashKeyType } from "../../proto/gen/novaedge/v1/config.ts";
import { request } from "../../tests/support/route_builders.ts";
import { hash32 } from "../balancer/hash.ts";
import { hashKey } from "./hash_key.ts";

const ASKED = request("/", "GET", "user=a%20b&x", {
  "x-user": "u",
  cookie: 'a=1; session="s 1"; b',
});
const CASES: readonly [HashKeyType, string, string][] = [
  [HashKeyType.HASH_KEY_TYPE_UNSPECIFIED, "", "192.0.2.1"],
  [HashKeyType.HASH_KEY_TYPE_HEADER, "X-User", "u"],
  [HashKeyType.HASH_KEY_TYPE_HEADER, "X-Other", "192.0.2.1"],
  [HashKeyType.HASH_KEY_TYPE_COOKIE, "session", "s 1"],
  [HashKeyType.HASH_KEY_TYPE_COOKIE, "b", "192.0.2.1"],
  [HashKeyType.HASH_KEY_TYPE_QUERY, "user", "a b"],
  [HashKeyType.HASH_KEY_TYPE_QUERY, "x", ""],
];

for (const [type, name, expected] of CASES) {
  Deno.test(`key ${HashKeyType[type]} ${name} is the hash of "${expected}"`, () => {
    assert.equal(hashKey(HashKey.create({ type, name }))(ASKED), hash32(expected));
  });
}

Deno.test("without a key the client's address is hashed", () => {
  assert.equal(hashKey(undefined)(ASKED), hash32("192.0.2.1"));
});
