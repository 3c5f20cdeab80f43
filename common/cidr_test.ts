import assert from "node:assert/strict";
import fc from "fast-check";
import { CidrError, cidrProblem, CidrSet } from "./cidr.ts";

/** Networks, addresses in one of them, addresses in none. */
const SETS: readonly [readonly string[], readonly string[], readonly string[]][] = [
  [
    ["192.0.2.0/24"],
    ["192.0.2.0", "192.0.2.1", "192.0.2.255"],
    ["192.0.1.255", "192.0.3.0", "::1"],
  ],
  [["192.0.2.7"], ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
  [["0.0.0.0/0"], ["0.0.0.0", "255.255.255.255"], ["::", "2001:db8::1"]],
  [["::/0"], ["::", "2001:db8::1"], ["192.0.2.1"]],
  [["2001:db8::/32"], ["2001:db8::", "2001:DB8:ffff::1"], ["2001:db9::", "2001:db7:ffff::"]],
  [["2001:db8::1"], ["2001:db8::1", "2001:db8:0:0:0:0:0:1"], ["2001:db8::2"]],
  [["10.0.0.0/9"], ["10.127.255.255"], ["10.128.0.0"]],
  [["10.0.0.1/8"], ["10.200.0.1"], ["11.0.0.1"]],
  [["10.0.0.0/8", "192.0.2.0/24"], ["10.1.2.3", "192.0.2.3"], ["192.0.3.3"]],
  [[], [], ["10.0.0.1", "::1"]],
];

for (const [texts, inside, outside] of SETS) {
  Deno.test(`networks: ${texts.join(", ") || "none"}`, () => {
    const set = new CidrSet(texts);
    // Twice: the second answer is a remembered one.
    for (let round = 0; round < 2; round++) {
      for (const address of inside) assert.equal(set.has(address), true, address);
      for (const address of outside) assert.equal(set.has(address), false, address);
    }
    assert.equal(set.empty, texts.length === 0);
    assert.equal(cidrProblem(texts), null);
  });
}

Deno.test("an IPv4 address in IPv6 form is that IPv4 address", () => {
  const set = new CidrSet(["10.0.0.0/8"]);
  assert.equal(set.has("::ffff:10.1.2.3"), true);
  assert.equal(set.has("::ffff:a01:203"), true);
  assert.equal(set.has("::ffff:11.0.0.1"), false);
  assert.equal(new CidrSet(["::/0"]).has("::ffff:10.1.2.3"), false);
});

Deno.test("what is no address is in no network", () => {
  const set = new CidrSet(["0.0.0.0/0", "::/0"]);
  for (const text of ["", "unknown", "10.0.0.256", "10.0.0.0/8", "10.0.0.1:80", "[::1]", "::g"]) {
    assert.equal(set.has(text), false, text);
  }
});

const WRONG = [
  "",
  "x",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0.0/a",
  "/8",
  "10.0.0.256/8",
  "2001:db8::/129",
  "2001:db8::g",
  "10.0.0.0 /8",
  "localhost",
];

for (const text of WRONG) {
  Deno.test(`no network: "${text}"`, () => {
    assert.throws(() => new CidrSet(["10.0.0.0/8", text]), CidrError);
    assert.equal(cidrProblem(["10.0.0.0/8", text]), `"${text}" is not an address or CIDR`);
  });
}

Deno.test("a shortened or octal IPv4 address is refused: it would be another network than meant", () => {
  // Old notations of inet_aton: 10 is 0.0.0.10, 010.0.0.1 is 8.0.0.1.
  for (const text of ["10", "10.1", "010.0.0.1", "0x0a.0.0.1", "10/8", "10.1/16"]) {
    assert.notEqual(cidrProblem([text]), null, text);
  }
});

Deno.test("a network covers the addresses whose leading bits are its own", () => {
  const number = fc.nat(0xffffffff);
  const text = (value: number) =>
    [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) & 255).join(".");
  fc.assert(fc.property(number, number, fc.integer({ min: 0, max: 32 }), (a, b, bits) => {
    const rest = 2 ** (32 - bits);
    const near = Math.floor(a / rest) * rest + b % rest;
    const set = new CidrSet([`${text(a)}/${bits}`]);
    assert.equal(set.has(text(b)), Math.floor(a / rest) === Math.floor(b / rest));
    assert.equal(set.has(text(near)), true);
  }));
});

Deno.test("more addresses than are remembered change no answer", () => {
  const set = new CidrSet(["10.0.0.0/16"]);
  for (let i = 0; i < 10_000; i++) {
    assert.equal(set.has(`10.${i % 3}.${i >> 8 & 255}.${i & 255}`), i % 3 === 0);
  }
});

Deno.test("a set answers as each of its networks would", () => {
  const octet = fc.constantFrom(0, 1, 10, 128, 255);
  const v4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join("."));
  const v6 = fc.array(fc.constantFrom("0", "1", "fd00", "ffff"), { minLength: 8, maxLength: 8 })
    .map((parts) => parts.join(":"));
  const network = fc.oneof(
    fc.tuple(v4, fc.nat(32)).map(([address, bits]) => `${address}/${bits}`),
    fc.tuple(v6, fc.nat(128)).map(([address, bits]) => `${address}/${bits}`),
  );
  fc.assert(fc.property(
    fc.array(network, { maxLength: 40 }),
    fc.array(fc.oneof(v4, v6), { minLength: 1, maxLength: 20 }),
    (networks, addresses) => {
      const set = new CidrSet(networks);
      for (const address of addresses) {
        const expected = networks.some((one) => new CidrSet([one]).has(address));
        assert.equal(set.has(address), expected, `${address} in ${networks}`);
      }
    },
  ));
});

Deno.test("ten thousand networks are one walk", () => {
  const networks = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
  const set = new CidrSet(networks);
  assert.equal(set.has("10.39.15.7"), true);
  assert.equal(set.has("10.39.16.7"), false);
  assert.equal(set.has("::ffff:10.0.1.1"), true);
});
