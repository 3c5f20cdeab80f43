import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  type AuthorityState,
  bundleOf,
  createAuthority,
  isStale,
  issueServer,
  rotated,
} from "./authority.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2030-01-01T00:00:00Z");

const count = (state: AuthorityState) => bundleOf(state).split("BEGIN CERTIFICATE").length - 1;

Deno.test("a controller's certificate is signed by its authority, for its name, for a week", async () => {
  const authority = await createAuthority(NOW);
  const server = await issueServer(authority, NOW);
  const certificate = new X509Certificate(server.certificate);
  assert.ok(certificate.checkIssued(new X509Certificate(authority.certificate)));
  assert.equal(certificate.checkHost("novaedge-controller"), "novaedge-controller");
  assert.equal(isStale(server, NOW + 3 * DAY), false);
  assert.equal(isStale(server, NOW + 4 * DAY), true);
});

Deno.test("a rotation overlaps: trusted first, signing a day later, the old one trusted to its end", async () => {
  const first: AuthorityState = { active: await createAuthority(NOW), next: null, previous: "" };
  assert.equal(await rotated(first, NOW + 239 * DAY), first);
  const second = await rotated(first, NOW + 241 * DAY);
  assert.equal(second.active, first.active, "nobody may know the next one yet");
  assert.equal(count(second), 2);
  assert.equal(await rotated(second, NOW + 241.5 * DAY), second);
  const third = await rotated(second, NOW + 242.1 * DAY);
  assert.equal(third.active, second.next);
  assert.equal(count(third), 2, "what signed before is trusted still");
  const fourth = await rotated(third, NOW + 366 * DAY);
  assert.equal(count(fourth), 1);
});
