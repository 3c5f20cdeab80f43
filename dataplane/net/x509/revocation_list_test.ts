import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { Authority } from "../../../tests/support/authority.ts";
import { readCertificate } from "./certificate.ts";
import { checkClientCertificate } from "./client_certificate.ts";
import { revocationLists } from "./revocation_list.ts";
import { verifySignature } from "./verify_signature.ts";

const DAY = 86_400_000;
const now = Date.now();
const authority = await Authority.create();
const other = await Authority.create("another authority");
const good = new X509Certificate((await authority.issue({ name: "good" })).certificate);
const bad = new X509Certificate((await authority.issue({ name: "bad" })).certificate);
const authorities = [readCertificate(new X509Certificate(authority.certificate).raw)];

function check(certificate: X509Certificate, pem: string) {
  return checkClientCertificate([certificate.raw], {
    authorities,
    verify: verifySignature,
    revocations: pem === "" ? [] : revocationLists(Buffer.from(pem)),
    commonNames: [],
    sans: [],
  }, now).kind;
}

Deno.test("who is on the list of its authority is refused, others are not", async () => {
  const pem = await authority.revoke([bad.serialNumber], new Date(now + DAY));
  assert.equal(check(good, pem), "verified");
  assert.equal(check(bad, pem), "refused");
  assert.equal(check(bad, ""), "verified", "without lists nobody is looked for");
  const nobody = await authority.revoke([], new Date(now + DAY));
  assert.equal(check(bad, nobody), "verified");
});

Deno.test("a list that is over, or of somebody else, lets nobody in", async () => {
  assert.equal(check(good, await authority.revoke([], new Date(now - DAY))), "refused");
  assert.equal(check(good, await other.revoke([], new Date(now + DAY))), "refused");
  const both = await other.revoke([good.serialNumber], new Date(now + DAY)) +
    await authority.revoke([], new Date(now + DAY));
  assert.equal(check(good, both), "verified", "numbers of others are others'");
});

Deno.test("what is no list says so", () => {
  const text = (body: string) => `-----BEGIN X509 CRL-----\n${body}\n-----END X509 CRL-----\n`;
  for (const pem of ["", "hello", text("AAAA"), text("MAA=")]) {
    assert.throws(() => revocationLists(Buffer.from(pem)), /revocation list/);
  }
});

Deno.test("bytes that were changed are refused, or are not the authority's any more", async () => {
  const pem = await authority.revoke([bad.serialNumber], new Date(now + DAY));
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  fc.assert(fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const changed = Buffer.from(der);
    changed[at] ^= flip;
    const again = `-----BEGIN X509 CRL-----\n${changed.toString("base64")}\n-----END X509 CRL-----`;
    let outcome: string;
    try {
      outcome = check(bad, again);
    } catch (error) {
      outcome = (error as { code?: string }).code ?? String(error);
    }
    assert.ok(["refused", "REVOCATION"].includes(outcome), `${at} ^ ${flip}: ${outcome}`);
  }));
});
