import assert from "node:assert/strict";
import { walk } from "./support/walk.ts";
import { REMOVED_FIELDS } from "../dataplane/message/field_id.ts";

const page = await Deno.readTextFile(new URL("../docs/security.md", import.meta.url));

Deno.test("every test that docs/security.md names exists", async () => {
  const files = await Array.fromAsync(walk(new URL("../", import.meta.url)));
  const named = new Set(Array.from(page.matchAll(/`([a-z0-9_/]+_test\.ts)`/g), ([, name]) => name));
  assert.ok(named.size > 20);
  for (const name of named) {
    assert.ok(files.some((file) => file.endsWith(`/${name}`)), `${name} does not exist`);
  }
});

Deno.test("docs/security.md lists the fields that are removed from requests", () => {
  for (const name of REMOVED_FIELDS) assert.ok(page.includes(`\`${name}\``), name);
});
