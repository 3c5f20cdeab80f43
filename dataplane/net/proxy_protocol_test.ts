import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import fc from "fast-check";
import { parseProxyHeader, type ProxyEndpoint, proxyHeader } from "./proxy_protocol.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const SIGNATURE = "0d0a0d0a000d0a515549540a";
/** A header of version 2 from what follows its signature. */
const v2 = (rest: string) => Buffer.from(SIGNATURE + rest.replaceAll(" ", ""), "hex");
/** Whatever may come behind a header: it must not matter. */
const BEHIND = bytes("GET / HTTP/1.1\r\n");

/** Headers, and whom they name; null where the connection's own address stays. */
const HEADERS: readonly [string, 1 | 2, Buffer, ProxyEndpoint | null][] = [
  [
    "v1 IPv4",
    1,
    bytes("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"),
    { address: "192.0.2.1", port: 56_324 },
  ],
  [
    "v1 IPv6",
    1,
    bytes("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"),
    { address: "2001:db8::1", port: 1 },
  ],
  [
    "v1, the longest line there can be",
    1,
    bytes(`PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`),
    { address: `${"ffff:".repeat(7)}ffff`, port: 65_535 },
  ],
  ["v1 UNKNOWN", 1, bytes("PROXY UNKNOWN\r\n"), null],
  [
    "v1 UNKNOWN with anything behind it",
    1,
    bytes(`PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`),
    null,
  ],
  [
    "v2 IPv4",
    2,
    v2("21 11 000c c0000201 c0000202 dc04 01bb"),
    { address: "192.0.2.1", port: 56_324 },
  ],
  [
    "v2 IPv6",
    2,
    v2(`21 21 0024 20010db8${"00".repeat(11)}01 20010db8${"00".repeat(11)}02 0001 ffff`),
    { address: "2001:db8::1", port: 1 },
  ],
  [
    "v2 IPv4 with TLVs",
    2,
    v2("21 11 0013 c0000201 c0000202 dc04 01bb 03 0004 01020304"),
    { address: "192.0.2.1", port: 56_324 },
  ],
  ["v2 LOCAL", 2, v2("20 00 0000"), null],
  ["v2 LOCAL with addresses", 2, v2("20 11 000c c0000201 c0000202 dc04 01bb"), null],
  ["v2 of an unspecified family", 2, v2("21 00 0000"), null],
  ["v2 of a datagram", 2, v2("21 12 000c c0000201 c0000202 dc04 01bb"), null],
  ["v2 of a UNIX socket", 2, v2(`21 31 00d8 ${"61".repeat(216)}`), null],
];

for (const [name, version, header, source] of HEADERS) {
  Deno.test(`PROXY ${name}`, () => {
    for (const asked of [0, version]) {
      assert.deepEqual(parseProxyHeader(Buffer.concat([header, BEHIND]), asked), {
        kind: "header",
        length: header.length,
        source,
      });
      for (let end = 0; end < header.length; end++) {
        const { kind } = parseProxyHeader(header.subarray(0, end), asked);
        assert.equal(kind, "incomplete", `cut at ${end}`);
      }
    }
    assert.equal(parseProxyHeader(header, 3 - version).kind, "invalid", "the other version");
  });
}

const INVALID: readonly [string, Buffer][] = [
  ["a request", bytes("GET / HTTP/1.1\r\n")],
  ["a TLS handshake", Buffer.from("16030100", "hex")],
  ["an empty line and a request", bytes("\r\nGET / HTTP/1.1\r\n")],
  ["lower case", bytes("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n")],
  ["v1 of no protocol", bytes("PROXY \r\n")],
  ["v1 of another protocol", bytes("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n")],
  ["v1 without ports", bytes("PROXY TCP4 192.0.2.1 192.0.2.2\r\n")],
  ["v1 with something more", bytes("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n")],
  ["v1 with two spaces", bytes("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n")],
  ["v1 with an IPv6 address for IPv4", bytes("PROXY TCP4 ::1 192.0.2.2 1 2\r\n")],
  ["v1 with an IPv4 address for IPv6", bytes("PROXY TCP6 ::1 192.0.2.2 1 2\r\n")],
  ["v1 with an address that is none", bytes("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n")],
  ["v1 with leading zeros", bytes("PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n")],
  ["v1 with a name", bytes("PROXY TCP4 localhost 192.0.2.2 1 2\r\n")],
  ["v1 with a port too large", bytes("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n")],
  ["v1 with a target port too large", bytes("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n")],
  ["v1 with a negative port", bytes("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n")],
  ["v1 by bare LF", bytes(`PROXY UNKNOWN\n${"x".repeat(107)}`)],
  ["v1 with a line that goes on", bytes(`PROXY UNKNOWN ${"x".repeat(93)}`)],
  ["v1 with a field smuggled in", bytes("PROXY UNKNOWN\nX: 1\r\n")],
  ["v2 of version 1", v2("11 11 000c c0000201 c0000202 dc04 01bb")],
  ["v2 of an unknown command", v2("22 11 000c c0000201 c0000202 dc04 01bb")],
  ["v2 with addresses cut short", v2("21 11 000b c0000201 c0000202 dc04 01")],
  ["v2 with IPv4 addresses for IPv6", v2("21 21 000c c0000201 c0000202 dc04 01bb")],
  ["v2 longer than anybody sends", v2("21 11 ffff")],
];

for (const [name, header] of INVALID) {
  Deno.test(`no PROXY header: ${name}`, () => {
    assert.equal(parseProxyHeader(header, 0).kind, "invalid");
  });
}

Deno.test("a header of version 1 that may still end is waited for up to its longest line", () => {
  const text = `PROXY UNKNOWN ${"x".repeat(200)}`;
  assert.equal(parseProxyHeader(bytes(text.slice(0, 106)), 0).kind, "incomplete");
  assert.equal(parseProxyHeader(bytes(text.slice(0, 107)), 0).kind, "invalid");
});

const endpoint = (address: fc.Arbitrary<string>) =>
  fc.record<ProxyEndpoint>({ address, port: fc.nat(65_535) });
/** The same address in the form that has one text only. */
const canonical = (address: string) =>
  address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;

Deno.test("whatever is written reads back, in both versions", () => {
  const pair = fc.oneof(
    fc.tuple(endpoint(fc.ipV4()), endpoint(fc.ipV4())),
    fc.tuple(endpoint(fc.ipV6()), endpoint(fc.ipV6())),
  );
  fc.assert(
    fc.property(pair, fc.constantFrom(1, 2), ([source, destination], version) => {
      const header = proxyHeader(version, source, destination);
      const parsed = parseProxyHeader(Buffer.concat([header, BEHIND]), version);
      assert.equal(parsed.kind, "header");
      if (parsed.kind !== "header") return;
      assert.equal(parsed.length, header.length);
      assert.equal(canonical(parsed.source!.address), canonical(source.address));
      assert.equal(parsed.source!.port, source.port);
    }),
    { numRuns: 500 },
  );
});

Deno.test("what is written is what the specification shows", () => {
  const from = { address: "192.0.2.1", port: 56_324 };
  const to = { address: "192.0.2.2", port: 443 };
  assert.equal(
    proxyHeader(1, from, to).toString(),
    "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
  );
  assert.deepEqual(proxyHeader(2, from, to), v2("21 11 000c c0000201 c0000202 dc04 01bb"));
  assert.deepEqual(
    proxyHeader(2, { address: "2001:db8::1", port: 1 }, { address: "::", port: 2 }),
    v2(`21 21 0024 20010db8${"00".repeat(11)}01 ${"00".repeat(16)} 0001 0002`),
  );
});

Deno.test("ends of different families are both written as IPv6", () => {
  const from = { address: "192.0.2.1", port: 1 };
  const to = { address: "2001:db8::2", port: 2 };
  const text = proxyHeader(1, from, to).toString();
  assert.equal(text, "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n");
  for (const version of [1, 2] as const) {
    const parsed = parseProxyHeader(proxyHeader(version, from, to), version);
    assert.ok(parsed.kind === "header");
    assert.equal(canonical(parsed.source!.address), "::ffff:c000:201");
  }
});

Deno.test("a source that was taken can be passed on in a header of version 2, a zone in it or not", () => {
  const header = bytes("PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n");
  const parsed = parseProxyHeader(header, 0);
  if (parsed.kind === "header") proxyHeader(2, parsed.source!, { address: "::1", port: 1 });
});

Deno.test("arbitrary bytes never throw, and what is a header names an address", () => {
  const piece = fc.oneof(
    fc.constantFrom("PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "192.0.2.1 ", "::1 ", "1 ", "2", "\r\n"),
    fc.constantFrom("\r\n\r\n\0\r\nQUIT\n", "\x21\x11\0\x0c", "\x21\x21\0\x24", "\x20\0\0\0"),
    fc.string({ unit: "binary", maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), fc.constantFrom(0, 1, 2), (pieces, version) => {
      const view = bytes(pieces.join(""));
      const parsed = parseProxyHeader(view, version);
      if (parsed.kind !== "header") return;
      assert.ok(parsed.length <= view.length);
      if (parsed.source !== null) assert.notEqual(isIP(parsed.source.address), 0);
    }),
    { numRuns: 2000 },
  );
});
