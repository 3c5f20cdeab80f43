import assert from "node:assert/strict";
import {
  type AskedAddress,
  type RedirectedRequest,
  redirectLocation,
  type RequestRedirect,
} from "./redirect.ts";

const NOTHING: RequestRedirect = {
  status: 302,
  url: "",
  template: null,
  scheme: "",
  hostname: "",
  port: 0,
  listenerPort: false,
  path: null,
};
const ORIGIN: AskedAddress = {
  scheme: "http",
  host: "Example.com:8080",
  port: 8080,
  listenerPort: 9080,
};
const REQUEST: RedirectedRequest = {
  origin: ORIGIN,
  path: "/a/b",
  query: "q=1",
  matched: "/a",
  method: "GET",
};
const origin = (changes: Partial<AskedAddress>) => ({ origin: { ...ORIGIN, ...changes } });

const CASES: readonly [string, Partial<RequestRedirect>, Partial<RedirectedRequest>, string][] = [
  ["nothing changed", {}, {}, "http://example.com:8080/a/b?q=1"],
  ["nothing changed, Gateway API", { listenerPort: true }, {}, "http://example.com:9080/a/b?q=1"],
  ["scheme alone drops the port", { scheme: "https" }, {}, "https://example.com/a/b?q=1"],
  ["scheme and port", { scheme: "https", port: 8443 }, {}, "https://example.com:8443/a/b?q=1"],
  ["the scheme's own port is left out", { port: 80 }, {}, "http://example.com/a/b?q=1"],
  ["hostname", { hostname: "x.org" }, {}, "http://x.org:8080/a/b?q=1"],
  [
    "hostname on the standard port",
    { hostname: "x.org" },
    origin({ port: 80 }),
    "http://x.org/a/b?q=1",
  ],
  [
    "a client by TLS",
    { hostname: "x.org" },
    origin({ scheme: "https", port: 443 }),
    "https://x.org/a/b?q=1",
  ],
  [
    "full path",
    { path: { kind: "full", value: "/new" } },
    { query: "" },
    "http://example.com:8080/new",
  ],
  ["prefix", { path: { kind: "prefix", value: "/z" } }, {}, "http://example.com:8080/z/b?q=1"],
  ["IPv6 host", {}, origin({ host: "[::1]:8080" }), "http://[::1]:8080/a/b?q=1"],
  ["complete target", { url: "https://x.org/y" }, {}, "https://x.org/y"],
];

for (const [name, redirect, request, expected] of CASES) {
  Deno.test(`redirect: ${name}`, () => {
    const location = redirectLocation({ ...NOTHING, ...redirect }, { ...REQUEST, ...request });
    assert.equal(location, expected);
  });
}
