/** Cases of Gateway API v1.7 that the suite we are gated on does not have yet: each by real requests. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import http2 from "node:http2";
import type { Server } from "node:net";
import { Authority } from "../support/authority.ts";
import { rawBackend } from "../support/backends.ts";
import { type Echo, echo, ended, listening, portOf, service } from "../support/echo_services.ts";
import { documents, Edge } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

const CLASS = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: novaedge }
spec: { controllerName: novaedge.io/gateway-controller }
`;

function gateway(name: string, port: number): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name} }
spec:
  gatewayClassName: novaedge
  addresses: [{ value: 127.0.0.1 }]
  listeners: [{ name: http, port: ${port}, protocol: HTTP }]
`;
}

interface RouteOf {
  readonly kind?: "HTTPRoute" | "GRPCRoute";
  readonly parents?: readonly string[];
  readonly hostnames?: readonly string[] | undefined;
  /** Seconds after the first object. */
  readonly created?: number;
  readonly rules: readonly object[];
}

function route(
  name: string,
  { kind = "HTTPRoute", parents = ["edge"], hostnames, created = 0, rules }: RouteOf,
): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name}, creationTimestamp: "2026-01-01T00:00:${
    String(created).padStart(2, "0")
  }Z" }
spec: ${
    JSON.stringify({ parentRefs: parents.map((parent) => ({ name: parent })), hostnames, rules })
  }
`;
}

/** A rule that tells the backend its name. */
function named(name: string, matches: readonly object[] | undefined, backend = "web"): object {
  return {
    ...(matches === undefined ? {} : { matches }),
    filters: [
      {
        type: "RequestHeaderModifier",
        requestHeaderModifier: { set: [{ name: "X-Rule", value: name }] },
      },
    ],
    backendRefs: [{ name: backend, port: 80 }],
  };
}

async function echoServer(): Promise<Server> {
  const server = createServer(echo("web"));
  await listening([server]);
  return server;
}

const path = (type: string, value: string) => ({ path: { type, value } });
const prefix = (value: string) => path("PathPrefix", value);
const exact = (value: string) => path("Exact", value);
const headers = (...names: string[]) => ({ headers: names.map((name) => ({ name, value: "1" })) });
const query = (...names: string[]) => ({
  queryParams: names.map((name) => ({ name, value: "1" })),
});

Deno.test("of several rules the most specific serves, in whichever order and route they are", async (t) => {
  const web = await echoServer();
  const port = freePort();
  await using _ = await Edge.start({
    "edge.yaml": documents(
      CLASS,
      gateway("edge", port),
      service("web", [portOf(web)]),
      // In the order of their objects the worst come first.
      route("a-late", {
        created: 9,
        rules: [
          named("late", [prefix("/same")]),
          named("all", [prefix("/")]),
          named("first", [{ ...prefix("/twice"), ...query("q") }]),
          named("second", [{ ...prefix("/twice"), ...query("q") }]),
        ],
      }),
      route("b-early", {
        rules: [
          named("early", [prefix("/same")]),
          named("short", [prefix("/path")]),
          named("long", [prefix("/path/longer")]),
          named("one header", [{ ...prefix("/path/longer"), ...headers("a") }]),
        ],
      }),
      route("c-more", {
        created: 5,
        rules: [
          named("two headers", [{ ...prefix("/path/longer"), ...headers("a", "b") }]),
          named("query", [{ ...prefix("/path/longer"), ...query("q") }]),
          named("two queries", [{ ...prefix("/path/longer"), ...query("q", "r") }]),
          named("method", [{ ...prefix("/path/longer"), method: "PUT" }]),
          named("exact", [exact("/path/longer/exact")]),
        ],
      }),
      route("a-same-age", { rules: [named("by name", [exact("/age")])] }),
      route("b-same-age", { rules: [named("by name, later", [exact("/age")])] }),
    ),
  });
  const connection = await HttpConnection.open(port);
  const cases: [string, string, string, string[]][] = [
    ["GET", "/", "all", []],
    ["GET", "/same", "early", []],
    ["GET", "/twice?q=1", "first", []],
    ["GET", "/path", "short", []],
    ["GET", "/path/longerer", "short", []],
    ["GET", "/path/longer", "long", []],
    ["GET", "/path/longer/", "long", []],
    ["GET", "/path/longer", "one header", ["a"]],
    ["GET", "/path/longer?q=1", "one header", ["a"]],
    ["GET", "/path/longer?q=1&r=1", "one header", ["a"]],
    ["GET", "/path/longer", "two headers", ["a", "b"]],
    ["GET", "/path/longer?q=1", "query", []],
    ["GET", "/path/longer?r=1&q=1", "two queries", []],
    ["PUT", "/path/longer?q=1&r=1", "method", ["a", "b"]],
    ["PUT", "/path/longer/exact?q=1", "exact", ["a", "b"]],
    ["GET", "/age", "by name", []],
  ];
  for (const [method, target, wanted, fields] of cases) {
    await t.step(`${method} ${target} ${fields.join(" ")}: ${wanted}`, async () => {
      const given = Object.fromEntries(fields.map((name) => [name, "1"]));
      const { body } = await connection.request(method, target, given);
      assert.equal((JSON.parse(body) as Echo).headers["x-rule"], wanted);
    });
  }
  connection.socket.destroy();
  await ended([web]);
});

Deno.test("the most specific hostname serves, in routes of HTTP and of gRPC", async (t) => {
  const web = await echoServer();
  const port = freePort();
  const hosts: [string, readonly string[] | undefined][] = [
    ["none", undefined],
    ["short wildcard", ["*.example.com"]],
    ["long wildcard", ["*.b.example.com"]],
    ["exact", ["a.b.example.com"]],
  ];
  const grpc = (host: string) => host.replace("example.com", "grpc.example.com");
  const calls = http2.createServer(echo("calls") as never);
  await listening([calls]);
  await using _ = await Edge.start({
    "edge.yaml": documents(
      CLASS,
      gateway("edge", port),
      service("web", [portOf(web)]),
      service("calls", [portOf(calls)]),
      ...hosts.map(([name, hostnames], i) =>
        // The less specific ones say more about the path.
        route(`http-${i}`, {
          hostnames,
          created: i,
          rules: [named(name, [i === 3 ? prefix("/") : exact("/Service/Call")])],
        })
      ),
      ...hosts.slice(1).map(([name, hostnames], i) =>
        route(`grpc-${i}`, {
          kind: "GRPCRoute",
          hostnames: hostnames!.map(grpc),
          rules: [named(
            `gRPC ${name}`,
            i === 2 ? undefined : [{ method: { service: "Service", method: "Call" } }],
            "calls",
          )],
        })
      ),
    ),
  });
  const connection = await HttpConnection.open(port);
  const wanted: [string, string][] = [
    ["elsewhere.org", "none"],
    ["a.example.com", "short wildcard"],
    ["x.b.example.com", "long wildcard"],
    ["x.y.b.example.com", "long wildcard"],
    ["a.b.example.com", "exact"],
    ["A.B.Example.Com:8080", "exact"],
    ["a.grpc.example.com", "gRPC short wildcard"],
    ["x.b.grpc.example.com", "gRPC long wildcard"],
    ["a.b.grpc.example.com", "gRPC exact"],
  ];
  for (const [host, name] of wanted) {
    await t.step(`${host}: ${name}`, async () => {
      const { body } = await connection.request("POST", "/Service/Call", { host });
      assert.equal((JSON.parse(body) as Echo).headers["x-rule"], name);
    });
  }
  connection.socket.destroy();
  await ended([web, calls]);
});

Deno.test("GRPCRoutes: one of two Gateways, one of each, to a backend by TLS with a policy", async () => {
  const authority = await Authority.create();
  const pair = await authority.issue({ name: "inner", dns: ["inner.example.com"] });
  const secure = http2.createSecureServer(
    { cert: pair.certificate, key: pair.key },
    echo("secure") as never,
  );
  const plain = http2.createServer(echo("plain") as never);
  await listening([secure, plain]);
  const [one, two] = [freePort(), freePort()];
  const calling = (name: string) => [{ method: { service: name } }];
  await using _ = await Edge.start({
    "edge.yaml": documents(
      CLASS,
      gateway("one", one),
      gateway("two", two),
      service("plain", [portOf(plain)]),
      service("secure", [portOf(secure)]),
      `apiVersion: v1
kind: ConfigMap
metadata: { name: authority }
data: { ca.crt: ${JSON.stringify(authority.certificate)} }
`,
      `apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: secure }
spec:
  targetRefs: [{ group: "", kind: Service, name: secure }]
  validation:
    hostname: inner.example.com
    caCertificateRefs: [{ group: "", kind: ConfigMap, name: authority }]
`,
      route("shared", {
        kind: "GRPCRoute",
        parents: ["one", "two"],
        rules: [named("shared", calling("Shared"), "secure")],
      }),
      route("of-one", {
        kind: "GRPCRoute",
        parents: ["one"],
        rules: [named("one", calling("Own"), "plain")],
      }),
      route("of-two", {
        kind: "GRPCRoute",
        parents: ["two"],
        rules: [named("two", calling("Own"), "secure")],
      }),
    ),
  });
  const answers: [number, string, string, string][] = [
    [one, "/Shared/Call", "secure", "shared"],
    [two, "/Shared/Call", "secure", "shared"],
    [one, "/Own/Call", "plain", "one"],
    [two, "/Own/Call", "secure", "two"],
  ];
  for (const [port, target, backend, name] of answers) {
    const connection = await HttpConnection.open(port);
    const { body } = await connection.request("POST", target);
    const { version, backend: served, headers } = JSON.parse(body) as Echo;
    assert.deepEqual([served, headers["x-rule"], version], [backend, name, "2.0"]);
    connection.socket.destroy();
  }
  await ended([secure, plain]);
});

Deno.test("a Gateway whose name is as long as names may be serves, and so does its route", async () => {
  const web = await echoServer();
  const port = freePort();
  const name = "g".repeat(253);
  await using _ = await Edge.start({
    "edge.yaml": documents(
      CLASS,
      gateway(name, port),
      service("web", [portOf(web)]),
      route("r".repeat(253), { parents: [name], rules: [named("long", undefined)] }),
    ),
  });
  const connection = await HttpConnection.open(port);
  assert.equal((await connection.request("GET", "/")).status, 200);
  connection.socket.destroy();
  await ended([web]);
});

Deno.test("a rewrite of one backend's own: of the whole path, and of what the rule matched", async () => {
  const web = await echoServer();
  const port = freePort();
  const rewritten = (value: string, change: object) => ({
    matches: [prefix(value)],
    backendRefs: [{
      name: "web",
      port: 80,
      filters: [{ type: "URLRewrite", urlRewrite: { path: change } }],
    }],
  });
  await using _ = await Edge.start({
    "edge.yaml": documents(
      CLASS,
      gateway("edge", port),
      service("web", [portOf(web)]),
      route("rewritten", {
        rules: [
          rewritten("/full", { type: "ReplaceFullPath", replaceFullPath: "/whole" }),
          rewritten("/prefix", { type: "ReplacePrefixMatch", replacePrefixMatch: "/other" }),
        ],
      }),
    ),
  });
  const connection = await HttpConnection.open(port);
  for (
    const [asked, seen] of [["/full/original", "/whole"], ["/prefix/original", "/other/original"]]
  ) {
    const { body } = await connection.request("GET", asked);
    assert.equal((JSON.parse(body) as Echo).url, seen);
  }
  connection.socket.destroy();
  await ended([web]);
});

Deno.test("a broken connection is tried again where that is safe only", async () => {
  let breaking = 0;
  await using web = await rawBackend((socket) => {
    if (breaking-- > 0) socket.resetAndDestroy();
    else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  });
  const [port, nobody] = [freePort(), freePort()];
  const retried = (value: string, backend: string) => ({
    matches: [prefix(value)],
    retry: { attempts: 3, backoff: "1ms" },
    backendRefs: [{ name: backend, port: 80 }],
  });
  await using _ = await Edge.start({
    "edge.yaml": documents(
      CLASS,
      gateway("edge", port),
      service("web", [web.port]),
      service("nobody", [nobody]),
      route("retried", { rules: [retried("/web", "web"), retried("/nobody", "nobody")] }),
    ),
  });
  const connection = await HttpConnection.open(port);
  const attempts = async (method: string, target: string, broken: number) => {
    breaking = broken;
    const before = web.requests.length;
    const { status } = await connection.request(method, target, {}, method === "POST" ? "x" : "");
    return [status, web.requests.length - before];
  };
  assert.deepEqual(await attempts("GET", "/web", 2), [200, 3]);
  assert.deepEqual(await attempts("GET", "/web", 9), [502, 4]);
  // It may have been done already.
  assert.deepEqual(await attempts("POST", "/web", 2), [502, 1]);
  assert.deepEqual(await attempts("POST", "/web", 0), [200, 1]);
  // Nothing was sent to where nobody listens.
  const { status } = await connection.request("POST", "/nobody", {}, "x");
  assert.equal(status, 502);
  connection.socket.destroy();
});
