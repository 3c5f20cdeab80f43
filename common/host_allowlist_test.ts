import assert from "node:assert/strict";
import { FlagError } from "./flags.ts";
import { HostAllowlist } from "./host_allowlist.ts";

function check(hosts: HostAllowlist, allowed: readonly string[], refused: readonly string[]): void {
  for (const host of allowed) assert.ok(hosts.allows(host), `${host} is refused`);
  for (const host of refused) assert.ok(!hosts.allows(host), `${host} is allowed`);
}

Deno.test("loopback names and addresses are allowed, with or without a port", () => {
  check(
    new HostAllowlist("127.0.0.1"),
    [
      ...["localhost", "LOCALHOST", "localhost.", "localhost:9901", "localhost:1", "localhost:"],
      ...["127.0.0.1", "127.0.0.1:9901", "127.8.9.10:80", "[::1]", "[::1]:9901"],
      ...["[0:0:0:0:0:0:0:1]:9901", "[::ffff:127.0.0.1]"],
    ],
    [
      ...["evil.example", "evil.example:9901", "localhost.evil.example", "127.0.0.1.evil.example"],
      ...["10.0.0.7", "10.0.0.7:9901", "[2001:db8::1]", "[::ffff:10.0.0.7]", "0.0.0.0"],
      ...["", ":9901", "a b", "user@localhost", "localhost/", "localhost:x", "localhost:999999"],
      ...["::1", "[::1", "[::1%25lo]", "0x7f.1", "2130706433", "127.1", "evil.localhost"],
      ...["localhost, evil.example", "127.0.0.999", "[v1.a]"],
    ],
  );
});

Deno.test("the address or name bound is allowed, and of others only loopback", () => {
  check(
    new HostAllowlist("10.0.0.7"),
    ["10.0.0.7", "10.0.0.7:1", "localhost"],
    ["10.0.0.8", "evil.example"],
  );
  check(new HostAllowlist("Edge.Internal"), ["edge.internal:9901"], ["internal", "10.0.0.7"]);
  for (const bound of ["2001:db8::7", "[2001:db8::7]"]) {
    check(new HostAllowlist(bound), ["[2001:DB8::7]:9901", "[2001:db8:0::7]"], ["[2001:db8::8]"]);
  }
});

Deno.test("a server open at every address is asked by any address, and by no other name", () => {
  for (const bound of ["0.0.0.0", "::", "[::]"]) {
    check(
      new HostAllowlist(bound),
      ["10.0.0.7:9901", "[2001:db8::1]:9901", "localhost", "0.0.0.0"],
      ["evil.example", "10.0.0.7.evil.example", "10.1", "0xa.0.0.7"],
    );
  }
});

Deno.test("further names and addresses can be allowed; what is no host is an error", () => {
  const hosts = new HostAllowlist("127.0.0.1", ["admin.example.com", "10.0.0.9", "2001:db8::9"]);
  check(
    hosts,
    ["admin.example.com", "ADMIN.example.com:443", "10.0.0.9", "[2001:db8::9]:1"],
    ["example.com", "a.admin.example.com", "10.0.0.8"],
  );
  for (const wrong of ["*", "http://a", "a/b", "", "*.example.com"]) {
    assert.throws(() => new HostAllowlist("127.0.0.1", [wrong]), FlagError);
  }
});
