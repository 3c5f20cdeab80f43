import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { CidrSet } from "../../common/cidr.ts";
import { Harness } from "../../tests/support/exchange_harness.ts";
import { PLAIN_LISTENER } from "../router/port_table.ts";
import { fieldEdit } from "../message/field_edit.ts";
import { clientAddress } from "./origin.ts";

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

/** A listener that trusts the client of the harness, and sends all to another host. */
function proxied(changes: Partial<typeof PLAIN_LISTENER> = {}): Harness {
  const edge = new Harness({
    ...PLAIN_LISTENER,
    trustedProxies: new CidrSet(["192.0.2.1/32", "10.0.0.0/8"]),
    ...changes,
  });
  edge.backend("b");
  return edge;
}

/** The fields about the client that a backend gets. */
function told(edge: Harness, fields: string): Record<string, string> {
  edge.route("/");
  edge.client().receive(`GET /a HTTP/1.1\r\nHost: h.test\r\n${fields}\r\n`);
  const head = edge.upstream(0).take();
  const lines = [...head.matchAll(/^(x-forwarded-[a-z]+|x-real-ip|forwarded): (.*)\r$/gim)];
  return Object.fromEntries(lines.map(([, name, value]) => [name.toLowerCase(), value]));
}

const TOLD: readonly [string, string, Record<string, string>][] = [
  ["nothing", "", {
    "x-forwarded-for": "192.0.2.1",
    "x-real-ip": "192.0.2.1",
    "x-forwarded-proto": "http",
    "x-forwarded-port": "80",
    "x-forwarded-host": "h.test",
  }],
  ["a client by TLS", "X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-Proto: https\r\n", {
    "x-forwarded-for": "203.0.113.1, 192.0.2.1",
    "x-real-ip": "203.0.113.1",
    "x-forwarded-proto": "https",
    "x-forwarded-port": "443",
    "x-forwarded-host": "h.test",
  }],
  [
    "host and port",
    "X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: a.test\r\nX-Forwarded-Port: 8443\r\n",
    {
      "x-forwarded-for": "192.0.2.1",
      "x-real-ip": "192.0.2.1",
      "x-forwarded-proto": "https",
      "x-forwarded-port": "8443",
      "x-forwarded-host": "a.test",
    },
  ],
  [
    "lists: the elements of the proxy that met the client",
    "X-Forwarded-For: 198.51.100.9, 203.0.113.1, 10.0.0.1\r\n" +
    "X-Forwarded-Proto: wss, https, http\r\nX-Forwarded-Host: evil.test, a.test, inner.test\r\n",
    {
      "x-forwarded-for": "198.51.100.9, 203.0.113.1, 10.0.0.1, 192.0.2.1",
      "x-real-ip": "203.0.113.1",
      "x-forwarded-proto": "https",
      "x-forwarded-port": "443",
      "x-forwarded-host": "a.test",
    },
  ],
  ["no host and no port", "X-Forwarded-Host: a/b\r\nX-Forwarded-Port: x\r\n", {
    "x-forwarded-for": "192.0.2.1",
    "x-real-ip": "192.0.2.1",
    "x-forwarded-proto": "http",
    "x-forwarded-port": "80",
    "x-forwarded-host": "h.test",
  }],
  [
    "Forwarded alone",
    'Forwarded: for=203.0.113.1;proto=https;host="a.test:8443", for=10.0.0.1;proto=http\r\n',
    {
      "x-forwarded-for": "203.0.113.1, 10.0.0.1, 192.0.2.1",
      "x-real-ip": "203.0.113.1",
      "x-forwarded-proto": "https",
      "x-forwarded-port": "8443",
      "x-forwarded-host": "a.test:8443",
      "forwarded": 'for=203.0.113.1;proto=https;host="a.test:8443", for=10.0.0.1;proto=http, ' +
        'for=192.0.2.1;proto=https;host="a.test:8443"',
    },
  ],
  [
    "a Forwarded that contradicts is not passed on",
    "Forwarded: for=198.51.100.9;proto=http\r\nX-Forwarded-For: 203.0.113.1\r\n" +
    "X-Forwarded-Proto: https\r\n",
    {
      "x-forwarded-for": "203.0.113.1, 192.0.2.1",
      "x-real-ip": "203.0.113.1",
      "x-forwarded-proto": "https",
      "x-forwarded-port": "443",
      "x-forwarded-host": "h.test",
    },
  ],
  ["a Forwarded that cannot be read is not passed on", "Forwarded: for=\r\n", {
    "x-forwarded-for": "192.0.2.1",
    "x-real-ip": "192.0.2.1",
    "x-forwarded-proto": "http",
    "x-forwarded-port": "80",
    "x-forwarded-host": "h.test",
  }],
];

for (const [name, fields, expected] of TOLD) {
  Deno.test(`what a trusted proxy says: ${name}`, () => {
    assert.deepEqual(told(proxied(), fields), expected);
  });
}

Deno.test("a listener that writes Forwarded makes it of X-Forwarded-*", () => {
  const fields = "X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\n";
  assert.equal(
    told(proxied({ forwarded: true }), fields).forwarded,
    'for="[2001:db8::1]";proto=https;host=h.test, for=192.0.2.1',
  );
});

Deno.test("what an untrusted client says of itself changes nothing", () => {
  const fields = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n" +
    "Forwarded: for=10.0.0.1;proto=https\r\n";
  const edge = proxied({ trustedProxies: null });
  assert.deepEqual(told(edge, fields), {
    "x-forwarded-for": "192.0.2.1",
    "x-real-ip": "192.0.2.1",
    "x-forwarded-proto": "http",
    "x-forwarded-port": "80",
    "x-forwarded-host": "h.test",
  });
});

/** Status and Location of an answer. */
function answered(edge: Harness, fields: string, host = "h.test"): string {
  const client = edge.client();
  client.receive(`GET /a?b HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
  const text = client.take();
  return `${text.slice(9, 12)} ${/^location: (.*)\r$/im.exec(text)?.[1] ?? ""}`.trim();
}

const BY_TLS = "X-Forwarded-Proto: https\r\n";

Deno.test("bug: a redirect to TLS looped behind a proxy that ends TLS", () => {
  const redirect: typeof PLAIN_LISTENER.redirect = ({ scheme, host }) =>
    scheme === "https" ? null : { status: 301, origin: `https://${host}` };
  const ofListener = proxied({ redirect });
  ofListener.route("/");
  const ofRule = proxied();
  ofRule.route("/", { tlsRedirect: { status: 308, port: 8443 } });
  for (
    const [edge, expected] of [
      [ofListener, "301 https://h.test/a?b"],
      [ofRule, "308 https://h.test:8443/a?b"],
    ] as const
  ) {
    assert.equal(answered(edge, ""), expected);
    assert.equal(answered(edge, "X-Forwarded-Proto: http\r\n"), expected);
    // The backend has it.
    assert.equal(answered(edge, BY_TLS), "");
    assert.match(edge.upstream(0).take(), /^x-forwarded-proto: https\r$/m);
  }
  assert.equal(answered(ofRule, "X-Forwarded-Host: a.test\r\n"), "308 https://a.test:8443/a?b");
});

Deno.test("bug: a redirect named the listener's scheme and port instead of the client's", () => {
  const redirect = {
    ...{
      status: 302,
      url: "",
      template: null,
      scheme: "",
      hostname: "x.test",
      port: 0,
      path: null,
    },
    listenerPort: false,
  };
  const edge = proxied();
  edge.route("/", { filters: { redirect, path: null, answer: null, mirrors: [] } });
  assert.equal(answered(edge, ""), "302 http://x.test/a?b");
  assert.equal(answered(edge, "", "h.test:9000"), "302 http://x.test:9000/a?b");
  assert.equal(answered(edge, BY_TLS), "302 https://x.test/a?b");
  const ports = `${BY_TLS}X-Forwarded-Port: 8443\r\n`;
  assert.equal(answered(edge, ports), "302 https://x.test:8443/a?b");
});

Deno.test("bug: changes to responses had no effect on what a rule answers itself", () => {
  const redirect = {
    ...{
      status: 302,
      url: "/there",
      template: null,
      scheme: "",
      hostname: "",
      port: 0,
      path: null,
    },
    listenerPort: false,
  };
  const edge = proxied();
  const answerEdit = fieldEdit(["x-set"], [{ name: "x-set", value: "1" }])!;
  edge.route("/", { answerEdit, filters: { redirect, path: null, answer: null, mirrors: [] } });
  const client = edge.client();
  client.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.match(client.take(), /^x-set: 1\r$/m);
});

Deno.test("bug: what a client wrote into Forwarded hid what its proxy added", () => {
  for (const before of ["x", 'for="', "for=10.0.0.9;x"]) {
    const got = told(proxied(), `Forwarded: ${before}, for=203.0.113.9;proto=https\r\n`);
    assert.equal(got["x-real-ip"], "203.0.113.9", before);
    assert.equal(got["x-forwarded-proto"], "https");
    assert.doesNotMatch(got.forwarded, /x,|for="/);
  }
});

Deno.test("bug: a scheme that is the name of an object's method became the method", () => {
  const got = told(proxied(), "X-Forwarded-Proto: constructor\r\n");
  assert.deepEqual([got["x-forwarded-proto"], got["x-forwarded-port"]], ["http", "80"]);
});
