import assert from "node:assert/strict";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

/** A route whose policy lets nobody pass, beside one that takes everything. */
function guarded(value: string): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: guarded }
spec:
  rules:
    - matches: [{ path: { type: PathPrefix, value: ${JSON.stringify(value)} } }]
      backendRefs: [{ name: web }]
---
apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: nobody }
spec:
  targetRef: { kind: ProxyRoute, name: guarded }
  type: IPAllowList
  ipList: { cidrs: [192.0.2.1] }
`;
}

/** How a path is written in a configuration, and ways in which requests write it. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  "/caf%C3%A9": ["/caf%c3%a9", "/caf%C3%A9", "/c%61f%C3%a9/x", "//caf%c3%a9"],
  "/adm%69n": ["/admin", "/%61dmin/x", "/x/../admin", "/./admin"],
  "/a//b/../c": ["/a/c", "/a//c/x", "/a/%63"],
  "/café": ["/caf%c3%a9", "/caf%C3%A9"],
  "/a b": ["/a%20b"],
};

Deno.test("bug: a policy holds for its path in whichever way path and request are written", async () => {
  await using web = textBackend("web");
  const port = freePort();
  const base = documents(gateway("edge", port), backend("web", web.port), route("all", "web"));
  await using edge = await Edge.start({ "base.yaml": base });
  for (const [written, requests] of Object.entries(WAYS)) {
    await edge.change("guarded.yaml", guarded(written));
    const connection = await HttpConnection.open(port);
    for (const path of requests) {
      const { status } = await connection.request("GET", path);
      assert.equal(status, 403, `${path} with ${written}`);
    }
    assert.equal((await connection.request("GET", "/other")).status, 200);
    connection.socket.destroy();
  }
});

Deno.test("bug: a path that no request can have closes its rule and is named in the status", async () => {
  await using web = textBackend("web");
  const port = freePort();
  await using edge = await Edge.start({
    "base.yaml": documents(gateway("edge", port), backend("web", web.port), route("all", "web")),
    "guarded.yaml": guarded("/a?b"),
  });
  const { objects } = await edge.json("/config");
  const { conditions } = objects.find((o: { name: string }) => o.name === "guarded");
  assert.equal(conditions[0].reason, "InvalidMatch");
  assert.match(
    conditions[0].message,
    /^spec\.rules\[0\]\.matches\[0\]\.path: "\/a\?b" has \? or #/,
  );
});

Deno.test("bug: an invalid policy with an empty sectionName closes its target", async () => {
  await using web = textBackend("web");
  const port = freePort();
  const policy = guarded("/guarded").replace(
    "name: guarded }\n  type",
    'name: guarded, sectionName: "" }\n  type',
  );
  assert.match(policy, /sectionName: ""/);
  await using _edge = await Edge.start({
    "base.yaml": documents(gateway("edge", port), backend("web", web.port), route("all", "web")),
    "guarded.yaml": policy,
  });
  const connection = await HttpConnection.open(port);
  const { status } = await connection.request("GET", "/guarded");
  assert.ok(status === 403 || status === 500, `${status}`);
  connection.socket.destroy();
});

Deno.test("bug: a preflight is answered by the rule of the method that it asks about, and never reaches a backend", async () => {
  await using web = textBackend("web");
  const port = freePort();
  await using _edge = await Edge.start({
    "all.yaml": `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: novaedge, creationTimestamp: null }
spec: { controllerName: novaedge.io/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: novaedge
  addresses: [{ value: 127.0.0.1 }]
  listeners: [{ name: http, port: ${port}, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - matches: [{ method: PUT }]
      filters: [{ type: CORS, cors: { allowOrigins: ["https://a.example"], allowMethods: ["PUT"] } }]
      backendRefs: [{ group: novaedge.io, kind: ProxyBackend, name: web }]
    - backendRefs: [{ group: novaedge.io, kind: ProxyBackend, name: web }]
---
${backend("web", web.port)}`,
  });
  const connection = await HttpConnection.open(port);
  const ask = (origin: string) =>
    connection.request("OPTIONS", "/", { origin, "access-control-request-method": "PUT" });
  const allowed = await ask("https://a.example");
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://a.example");
  const refused = await ask("https://b.example");
  assert.deepEqual([refused.status, refused.body], [403, "403 origin_refused\n"]);
  assert.ok(![...refused.headers.keys()].some((name) => name.startsWith("access-control-")));
  const ordinary = await connection.request("OPTIONS", "/", { origin: "https://b.example" });
  assert.deepEqual([ordinary.status, ordinary.body], [200, "web"]);
  connection.socket.destroy();
});

Deno.test("a listener says what becomes of escaped slashes and of several in a row", async () => {
  await using web = textBackend("web");
  const ports = [freePort(), freePort(), freePort()];
  await using edge = await Edge.start({
    "all.yaml": `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: keep, port: ${ports[0]}, protocol: HTTP, address: 127.0.0.1 }
    - { name: strict, port: ${
      ports[1]
    }, protocol: HTTP, address: 127.0.0.1, escapedSlashes: Reject, mergeSlashes: false }
    - { name: plain, port: ${
      ports[2]
    }, protocol: HTTP, address: 127.0.0.1, escapedSlashes: Redirect }
---
apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: web }
spec:
  rules:
    - matches: [{ path: { type: PathPrefix, value: /a/b } }]
      backendRefs: [{ name: web }]
---
${backend("web", web.port)}`,
  });
  const ask = async (port: number, path: string) => {
    const connection = await HttpConnection.open(port);
    const { status, headers } = await connection.request("GET", path);
    connection.socket.destroy();
    const url = encodeURIComponent(`http://127.0.0.1:${port}${path}`);
    const why = await edge.json(`/why?url=${url}&header=host:test.example.com`);
    if (status >= 300) assert.match(why.reason, new RegExp(`^${status}: `), `${path} at ${port}`);
    return [status, headers.get("location") ?? ""];
  };
  const [keep, strict, plain] = ports;
  assert.deepEqual(await ask(keep, "/a/b/x%2fy"), [200, ""]);
  assert.deepEqual(await ask(keep, "/a%2Fb"), [404, ""]);
  assert.deepEqual(await ask(keep, "/a//b"), [200, ""]);
  assert.deepEqual(await ask(strict, "/a/b/x%2fy"), [400, ""]);
  assert.deepEqual(await ask(strict, "/a//b"), [404, ""]);
  assert.deepEqual(await ask(strict, "/a/b//c"), [200, ""]);
  const place = "http://test.example.com/a/b/c?q=%2F";
  assert.deepEqual(await ask(plain, "/a%2fb%5Cc?q=%2F"), [307, place]);
  assert.deepEqual(await ask(plain, "/a/b/c"), [200, ""]);
});
