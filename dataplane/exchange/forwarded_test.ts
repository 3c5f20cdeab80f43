import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { CidrSet } from "../../common/cidr.ts";
import { clientAddress } from "./forwarded.ts";

const PEER = "10.0.0.1";
const TRUSTED = new CidrSet(["10.0.0.0/8", "2001:db8:1::/48"]);
const client = (chain: string) => clientAddress(chain, PEER, TRUSTED);

/** Chains as the peer sends them, and who the client is. */
const CHAINS: readonly [string, string, string][] = [
  ["no chain", "", PEER],
  ["one client", "198.51.100.1", "198.51.100.1"],
  ["a client behind two proxies", "198.51.100.1, 10.0.0.3, 10.0.0.2", "198.51.100.1"],
  ["what the client itself wrote", "192.0.2.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"],
  ["a trusted address that the client wrote", "10.9.9.9, 198.51.100.1", "198.51.100.1"],
  ["trusted addresses only", "10.0.0.9, 10.0.0.3", "10.0.0.9"],
  ["spaces and tabs", " 198.51.100.1 ,\t10.0.0.2 ", "198.51.100.1"],
  ["a port", "198.51.100.1:4711, 10.0.0.2:80", "198.51.100.1"],
  ["IPv6", "2001:db8::1, 2001:db8:1::2", "2001:db8::1"],
  ["IPv6 in brackets", "[2001:db8::1], [2001:db8:1::2]", "2001:db8::1"],
  ["IPv6 with a port", "[2001:db8::1]:4711", "2001:db8::1"],
  ["a shortest IPv6 address", "::1", "::1"],
  ["unknown", "unknown", PEER],
  ["unknown behind what is known", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"],
  ["an obfuscated name", "_hidden, 10.0.0.2", "10.0.0.2"],
  ["an empty element", "198.51.100.1,, 10.0.0.2", "10.0.0.2"],
  ["a comma at the end", "198.51.100.1,", PEER],
  ["an address out of range", "198.51.100.256", PEER],
  ["too few parts", "198.51.100", PEER],
  ["a port that is none", "198.51.100.1:http", PEER],
  ["brackets that do not close", "[2001:db8::1", PEER],
  ["quotes, as Forwarded has them", '"198.51.100.1"', PEER],
  ["a field smuggled in", "198.51.100.1 evil: 1", PEER],
];

for (const [name, chain, expected] of CHAINS) {
  Deno.test(`client of a chain: ${name}`, () => assert.equal(client(chain), expected));
}

Deno.test("colons do not make an address", () => {
  for (
    const element of ["12:30:45", ":::", "1::2::3", "[1:2:3]", "[.]", "a:b:c.d", "::256.1.1.1"]
  ) {
    assert.equal(client(element), PEER, element);
  }
});

Deno.test("whatever the chain, the client is an address, and none that an untrusted one told of", () => {
  const element = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.nat(255).map((n) => `10.0.0.${n}`),
    fc.stringMatching(/^[0-9a-f:.\[\]]{0,12}$/),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(element, { maxLength: 5 }), (elements) => {
      const found = client(elements.join(", "));
      assert.notEqual(isIP(found), 0, found);
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.array(element, { maxLength: 5 }), (elements) => {
    assert.equal(client([...elements, "198.51.100.1", "10.0.0.2"].join(",")), "198.51.100.1");
  }));
});
