import assert from "node:assert/strict";
import { differences } from "./comparison.ts";
import { shownBy } from "./translated.ts";

const gateway = (listeners: string) =>
  `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec: { listeners: [${listeners}] }
`;
const backend = (name: string, port: number) =>
  `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec: { endpoints: [{ address: 127.0.0.1, port: ${port} }] }
`;
const policy = (rate: number) =>
  `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: limit }
spec: { type: RateLimit, targetRef: { kind: ProxyGateway, name: edge }, rateLimit: { requestsPerSecond: ${rate} } }
`;
const HTTP = "{ name: http, port: 80, protocol: HTTP }";
const shown = (...documents: string[]) => shownBy([["all.yaml", documents.join("---\n")]]);
const lines = (now: ReturnType<typeof shown>, next: ReturnType<typeof shown>) =>
  differences(now, next).map(({ change, what, name, detail }) =>
    `${change} ${what} ${name} ${detail}`.trim()
  );

Deno.test("the same files change nothing", () => {
  const files = [gateway(HTTP), backend("a", 80), policy(5)];
  assert.deepEqual(lines(shown(...files), shown(...files)), []);
});

Deno.test("listeners that would open and close, objects and settings that would change are named", () => {
  const now = shown(gateway(HTTP), backend("a", 80), backend("b", 80));
  const next = shown(
    gateway("{ name: http, port: 8080, protocol: HTTP, address: 127.0.0.1 }"),
    backend("a", 81),
    backend("c", 80),
  );
  assert.deepEqual(lines(now, next), [
    "open listener default/edge/http: HTTP on port 8080 of 127.0.0.1",
    "close listener default/edge/http: HTTP on port 80 of all addresses",
    "add object ProxyBackend default/c",
    "remove object ProxyBackend default/b",
    "change gateway default/edge [0].listeners[0].port: 80 -> 8080",
    "change backend default/a [0].endpoints[0].port: 80 -> 81",
  ]);
});
