import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Authority, type Subject } from "../../../tests/support/authority.ts";
import { serverNameProblem } from "./server_name.ts";

const authority = await Authority.create();

async function problem(subject: Partial<Subject>, name: string, sans: string[] = []) {
  const { certificate } = await authority.issue({ name: "x", ...subject });
  const der = Buffer.from(certificate.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return serverNameProblem(der, name, sans) === "" ? "ok" : "refused";
}

Deno.test("a server is named by DNS names and addresses of its certificate only", async () => {
  const table: [Partial<Subject>, string, string][] = [
    [{ dns: ["a.example.com"] }, "a.example.com", "ok"],
    [{ dns: ["A.Example.com"] }, "a.example.com.", "ok"],
    [{ dns: ["*.example.com"] }, "a.example.com", "ok"],
    [{ dns: ["*.example.com"] }, "a.b.example.com", "refused"],
    [{ dns: ["*.example.com"] }, "example.com", "refused"],
    [{ dns: ["*.com"] }, "example.com", "refused"],
    [{ dns: ["a*.example.com"] }, "ab.example.com", "refused"],
    [{ dns: ["*"] }, "example", "refused"],
    [{ ips: ["127.0.0.1"] }, "127.0.0.1", "ok"],
    [{ ips: ["2001:db8::1"] }, "2001:DB8:0:0::1", "ok"],
    [{ dns: ["127.0.0.1"] }, "127.0.0.1", "refused"],
    [{ name: "a.example.com" }, "a.example.com", "refused"],
  ];
  for (const [subject, name, expected] of table) {
    assert.equal(await problem(subject, name), expected, `${JSON.stringify(subject)} ${name}`);
  }
});

Deno.test("bug: a URI or mailbox that reads like a DNS name does not name a server", async () => {
  for (
    const subject of [
      { uris: ["http://x/, DNS:a.example.com"] },
      { uris: ["a.example.com"] },
      { emails: ["a.example.com"] },
      { dns: ["x, DNS:a.example.com"] },
    ]
  ) {
    assert.equal(await problem(subject, "a.example.com"), "refused");
    assert.equal(await problem(subject, "other.test", ["a.example.com"]), "refused");
  }
  assert.equal(await problem({ uris: ["spiffe://a"] }, "x", ["spiffe://a"]), "ok");
});

Deno.test("bytes that are no certificate name nothing", () => {
  assert.notEqual(serverNameProblem(new Uint8Array(3), "a", []), "");
});
