import assert from "node:assert/strict";
import { Conditions } from "./conditions.ts";

Deno.test("bug: a credential that a message quotes became part of an object's status", () => {
  const conditions = new Conditions()
    .expect("Accepted")
    .fail("Accepted", "InvalidFilter", 'not a field name: "Authorization: Bearer hunter2"')
    .fail("Accepted", "InvalidMatch", '"/a?token=hunter2" has ? or #, which end a path')
    .note("PartiallyInvalid", "Other", "https://me:hunter2@a.test/ is not served");
  assert.deepEqual(conditions.list().map(({ message }) => message), [
    'not a field name: "Authorization: [redacted]; "/a?token=[redacted]" has ? or #, which end a path',
    "https://[redacted]@a.test/ is not served",
  ]);
});
