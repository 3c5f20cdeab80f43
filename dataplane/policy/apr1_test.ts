import assert from "node:assert/strict";
import { apr1, apr1Matches, isApr1 } from "./apr1.ts";

/** Made by `openssl passwd -apr1 -salt SALT PASSWORD`. */
const KNOWN: readonly [string, string, string][] = [
  ["test", "abcdefgh", "$apr1$abcdefgh$/cesMUEGhga5MgaTGywaW0"],
  [
    "pass word with ünicode and more than sixteen bytes",
    "x",
    "$apr1$x$x.NSfv8heaD4nMfjSsc9u0",
  ],
];

Deno.test("Apache's MD5 gives the hashes that openssl gives", () => {
  for (const [password, salt, hash] of KNOWN) {
    assert.equal(apr1(password, salt), hash);
    assert.ok(isApr1(hash));
    assert.equal(apr1Matches(password, hash), true);
    assert.equal(apr1Matches(`${password} `, hash), false);
  }
  assert.equal(apr1Matches("test", "$2b$05$abc"), false);
});
