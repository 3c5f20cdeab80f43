import assert from "node:assert/strict";
import { statusHandler } from "./status_server.ts";

const handler = statusHandler({ "/healthz": () => new Response("ok\n") });

const ask = async (path: string, init: RequestInit = {}) =>
  (await handler(new Request(`http://10.0.0.7:8080${path}`, init))).status;

Deno.test("fixed paths are served for GET and HEAD, by every host", async () => {
  assert.equal(await ask("/healthz"), 200);
  assert.equal(await ask("/healthz?verbose", { headers: { host: "pod.cluster.local" } }), 200);
  assert.equal(await ask("/healthz", { method: "HEAD" }), 200);
  for (const path of ["/", "/healthz/", "/constructor", "/toString", "/__proto__"]) {
    assert.equal(await ask(path), 404, path);
  }
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    assert.equal(await ask("/healthz", { method }), 405);
  }
});

Deno.test("pages of other origins do not read probes and metrics", async () => {
  assert.equal(await ask("/healthz", { headers: { origin: "http://evil.example" } }), 403);
  assert.equal(await ask("/healthz", { headers: { "sec-fetch-site": "cross-site" } }), 403);
  assert.equal(await ask("/healthz", { headers: { origin: "http://10.0.0.7:8080" } }), 200);
});
