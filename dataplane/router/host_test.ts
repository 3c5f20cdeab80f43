import assert from "node:assert/strict";
import fc from "fast-check";
import { HostMap, hostName, hostPort, suffixes } from "./host.ts";

const NAMES: readonly [string, string][] = [
  ["Example.COM", "example.com"],
  ["example.com:8080", "example.com"],
  ["example.com.", "example.com"],
  ["example.com.:80", "example.com"],
  ["example.com:", "example.com"],
  ["[::1]", "[::1]"],
  ["[2001:DB8::1]:443", "[2001:db8::1]"],
  ["127.0.0.1:80", "127.0.0.1"],
  ["", ""],
];

for (const [host, name] of NAMES) {
  Deno.test(`the name of ${JSON.stringify(host)} is ${JSON.stringify(name)}`, () => {
    assert.equal(hostName(host), name);
  });
}

Deno.test("the name of a name with any port, dot and case is the name", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,4}[a-z0-9])?$/);
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
  fc.assert(
    fc.property(name, fc.nat(65535), fc.boolean(), fc.boolean(), (text, port, dot, upper) => {
      const host = `${upper ? text.toUpperCase() : text}${dot ? "." : ""}:${port}`;
      assert.equal(hostName(host), text);
      assert.equal(hostName(hostName(host)), text);
    }),
  );
});

Deno.test("suffixes are those that a wildcard may stand for, the longest first", () => {
  assert.deepEqual([...suffixes("a.b.c")], [".b.c", ".c"]);
  assert.deepEqual([...suffixes("localhost")], []);
});

Deno.test("a wildcard behind a name counts after one in front, the longest first", () => {
  const map = new HostMap<string>();
  const hosts = ["api.example.com", "*.example.com", "api.example.*", "api.*", ""];
  for (const host of hosts) map.set(host, host);
  assert.deepEqual(map.lookup("api.example.com"), hosts);
  assert.deepEqual(map.lookup("api.example.org"), ["api.example.*", "api.*", ""]);
  assert.deepEqual(map.lookup("api"), [""]);
  assert.deepEqual(map.lookup("apix.org"), [""]);
  assert.equal(map.get("api.*"), "api.*");
  map.delete("api.*");
  assert.deepEqual(map.lookup("api.test"), [""]);
  assert.deepEqual([...map.values()].length, 4);
});

Deno.test("bug: the wildcard of an Ingress covered more than one label", () => {
  const map = new HostMap<string>();
  for (const host of ["?.example.com", "a.example.com", "*.example.com"]) map.set(host, host);
  assert.deepEqual(map.lookup("a.example.com"), [
    "a.example.com",
    "?.example.com",
    "*.example.com",
  ]);
  assert.deepEqual(map.lookup("a.b.example.com"), ["*.example.com"]);
  assert.deepEqual(map.lookup("example.com"), []);
  assert.deepEqual(map.lookup(".example.com"), []);
  map.delete("?.example.com");
  assert.deepEqual(map.lookup("b.example.com"), ["*.example.com"]);
  assert.equal([...map.values()].length, 2);
});

Deno.test("a lookup finds exact, then the longest wildcard, then any", () => {
  const map = new HostMap<string>();
  for (const host of ["a.b.example.com", "*.b.example.com", "*.example.com", "*"]) {
    map.set(host, host);
  }
  assert.deepEqual(map.lookup("a.b.example.com"), [
    "a.b.example.com",
    "*.b.example.com",
    "*.example.com",
    "*",
  ]);
  assert.deepEqual(map.lookup("x.y.b.example.com"), ["*.b.example.com", "*.example.com", "*"]);
  assert.deepEqual(map.lookup("example.com"), ["*"], "a wildcard stands for one label at least");
  assert.deepEqual(map.lookup("notexample.com"), ["*"]);
  assert.equal(map.get(""), "*");
  map.delete("");
  map.delete("*.example.com");
  assert.deepEqual(map.lookup("example.com"), []);
  assert.deepEqual([...map.values()].sort(), ["*.b.example.com", "a.b.example.com"]);
});

Deno.test("the port of a host is the one that it names", () => {
  const ports: readonly [string, number][] = [
    ["a.test", 0],
    ["a.test:8080", 8080],
    ["a.test:", 0],
    ["[::1]", 0],
    ["[::1]:443", 443],
    ["", 0],
  ];
  for (const [host, port] of ports) assert.equal(hostPort(host), port, host);
});
