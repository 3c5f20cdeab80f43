import assert from "node:assert/strict";
import type { RouteRule } from "../../proto/gen/novaedge/v1/config.ts";
import {
  PathMatchType,
  PathModifierType,
  Route,
  RouteRule as RuleMessage,
} from "../../proto/gen/novaedge/v1/config.ts";
import {
  dataFrame,
  frameBackend,
  frameClient,
  headersFrame,
  http2Edge,
  pseudo,
} from "../../tests/support/http2_frames.ts";
import { plainRef } from "../../tests/support/route_builders.ts";
import { fieldEdit } from "../message/field_edit.ts";
import { GET, Harness, OK } from "../../tests/support/exchange_harness.ts";
import { compileRoute } from "../router/compile.ts";

/** A worker whose only route has one rule, compiled as it comes from the controller. */
function edge(rule: Partial<RouteRule>, prefix = "/"): Harness {
  const out = new Harness();
  out.backend("ns/b");
  const type = PathMatchType.PATH_MATCH_TYPE_PREFIX;
  out.listener.add(compileRoute(
    "ns/r",
    Route.fromPartial({
      namespace: "ns",
      name: "r",
      listeners: ["ns/gw/l"],
      rules: [RuleMessage.fromPartial({
        matches: [{ path: { type, value: prefix } }],
        backendRefs: [{ backend: "ns/b", weight: 1 }],
        ...rule,
      })],
    }),
  ));
  out.table.changed();
  return out;
}

const FULL = PathModifierType.PATH_MODIFIER_TYPE_FULL;
const PREFIX = PathModifierType.PATH_MODIFIER_TYPE_PREFIX;

Deno.test("requests and answers get, lose and change fields; interim answers stay", () => {
  const test = edge({
    filters: {
      requestFields: {
        remove: ["x-drop", "x-forwarded-proto", "x-set"],
        add: [{ name: "x-forwarded-proto", value: "https" }, { name: "X-Set", value: "new" }],
      },
      responseFields: { remove: ["server"], add: [{ name: "x-from", value: "edge" }] },
    } as RouteRule["filters"],
  });
  const client = test.client();
  client.receive(
    "GET / HTTP/1.1\r\nHost: h\r\nX-Drop: 1\r\nx-set: a\r\nX-Set: b\r\nx-keep: 1\r\n\r\n",
  );
  const upstream = test.upstream(0);
  const sent = upstream.take();
  assert.match(sent, /^GET \/ HTTP\/1\.1\r\nHost: h\r\nx-keep: 1\r\n/);
  assert.equal(sent.match(/x-forwarded-proto: .*/gi)?.join(), "x-forwarded-proto: https");
  assert.equal(sent.match(/x-set: .*/gi)?.join(), "x-set: new");
  assert.doesNotMatch(sent, /x-drop/i);
  assert.ok(sent.endsWith("\r\n\r\n"));
  upstream.receive("HTTP/1.1 103 Early Hints\r\nServer: s\r\n\r\n");
  assert.match(client.take(), /^HTTP\/1\.1 103 .*\r\nServer: s\r\n/);
  upstream.receive("HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\nX-B: 1\r\n\r\nok");
  assert.equal(
    client.take(),
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-B: 1\r\ndate: Tue, 01 Jan 2030 00:00:00 GMT\r\nx-from: edge\r\n\r\nok",
  );
});

Deno.test("changed fields reach HTTP/2 on both sides", () => {
  const test = http2Edge({}, {
    refs: [{
      ...plainRef("b"),
      edits: {
        request: fieldEdit(["host", "x-drop"], [
          { name: "host", value: "other" },
          { name: "x-new", value: "1" },
        ]),
        response: fieldEdit(["x-secret"], [{ name: "x-from", value: "edge" }]),
      },
    }],
  });
  const client = frameClient(test);
  client.send(headersFrame(1, [...pseudo("GET"), ["x-drop", "1"], ["x-keep", "1"]], true));
  const backend = frameBackend(test, 0);
  const [asked] = backend.streams.get(1)!.sections;
  assert.equal(asked.get(":authority"), "other");
  assert.deepEqual(
    ["x-drop", "x-keep", "x-new", "x-forwarded-host"].map((name) => asked.get(name)),
    [undefined, "1", "1", "h"],
  );
  backend.send(headersFrame(1, [[":status", "200"], ["x-secret", "s"], ["x-b", "1"]], false));
  backend.send(dataFrame(1, "ok", true));
  client.read();
  const answer = client.streams.get(1)!;
  assert.deepEqual(
    ["x-secret", "x-b", "x-from"].map((name) => answer.sections[0].get(name)),
    [undefined, "1", "edge"],
  );
  assert.deepEqual([answer.status, answer.body, answer.ended], [200, "ok", true]);
});

Deno.test("the share that was picked adds its own changes to the rule's", () => {
  const test = edge({
    filters: {
      requestFields: {
        remove: [],
        add: [{ name: "x-rule", value: "1" }, { name: "x", value: "r" }],
      },
    } as unknown as RouteRule["filters"],
    backendRefs: [{
      backend: "ns/b",
      weight: 1,
      invalidReason: "",
      requestFields: { remove: ["x"], add: [{ name: "x", value: "share" }] },
      responseFields: undefined,
      rewrite: undefined,
    }],
  });
  test.client().receive(GET);
  const sent = test.upstream(0).take();
  assert.match(sent, /\r\nx-rule: 1\r\nx: share\r\n\r\n$/);
});

Deno.test("a redirect, an own answer and a rewrite that cannot be made never reach a backend", () => {
  const redirect = edge({
    filters: {
      redirect: { scheme: "https", status: 308, path: { type: PREFIX, value: "/new" } },
    } as unknown as RouteRule["filters"],
  }, "/old");
  const client = redirect.client();
  client.receive("GET /old/%41?q=%20 HTTP/1.1\r\nHost: H:80\r\n\r\n");
  assert.match(client.take(), /^HTTP\/1\.1 308 .*\r\nlocation: https:\/\/h\/new\/A\?q=%20\r\n/s);

  const own = edge({
    filters: {
      directResponse: { status: 418, contentType: "", body: "ä\n" },
    } as unknown as RouteRule["filters"],
  });
  const asking = own.client();
  asking.receive(GET);
  assert.match(
    asking.take(),
    /^HTTP\/1\.1 418 .*\r\ncontent-type: text\/plain; charset=utf-8\r\ncontent-length: 3\r\n\r\n\xc3\xa4\n$/s,
  );
  asking.receive(GET.replace("GET", "HEAD"));
  assert.match(asking.take(), /content-length: 3\r\n\r\n$/);

  const broken = edge({
    filters: {
      rewrite: { hostname: "", path: { type: FULL, value: "/%2e%2f" } },
    } as unknown as RouteRule["filters"],
  });
  const last = broken.client();
  last.receive(GET);
  assert.match(last.take(), /^HTTP\/1\.1 500 /);
  assert.deepEqual(
    [redirect, own, broken].map((test) => [test.connects, test.log().map(({ reason }) => reason)]),
    [[0, ["redirect"]], [0, ["direct_response", "direct_response"]], [0, ["bad_rewrite"]]],
  );
});

Deno.test("a rewritten path and host are what the backend sees; the query and the log keep the client's", () => {
  const test = edge({
    filters: {
      rewrite: { hostname: "inner.example", path: { type: PREFIX, value: "/v2" } },
    } as unknown as RouteRule["filters"],
  }, "/api");
  test.client().receive("GET /api//x%2Fy?a=/api HTTP/1.1\r\nHost: h\r\n\r\n");
  const upstream = test.upstream(0);
  const sent = upstream.take();
  assert.match(sent, /^GET \/v2\/x%2Fy\?a=\/api HTTP\/1\.1\r\n/);
  assert.match(sent, /\r\nhost: inner\.example\r\n/);
  assert.match(sent, /\r\nx-forwarded-host: h\r\n/);
  assert.equal(sent.match(/\r\nhost: /gi)?.length, 1);
  upstream.receive(OK);
  assert.equal(test.log()[0].path, "/api//x%2Fy");
});

Deno.test("a rule's limit on bodies counts beside the listener's, announced or not", () => {
  const test = edge({ maxRequestBodyBytes: 4 });
  const announced = test.client();
  announced.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  assert.match(announced.take(), /^HTTP\/1\.1 413 /);
  assert.equal(test.connects, 0);
  const chunked = test.client();
  chunked.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
  const upstream = test.upstream(0);
  chunked.receive("3\r\ncde\r\n");
  assert.match(chunked.take(), /^HTTP\/1\.1 413 /);
  assert.ok(upstream.closed);
});

Deno.test("a backend has its own time for an answer, within the request's", () => {
  const test = edge({ backendTimeoutMs: 2_000, requestTimeoutMs: 60_000 });
  const client = test.client();
  client.receive(GET);
  const upstream = test.upstream(0);
  test.pass(1_900);
  assert.equal(client.take(), "");
  test.pass(200);
  assert.match(client.take(), /^HTTP\/1\.1 504 .*backend_timeout/s);
  assert.ok(upstream.closed);
  const shorter = edge({ backendTimeoutMs: 20_000, requestTimeoutMs: 1_000 });
  const other = shorter.client();
  other.receive(GET);
  shorter.upstream(0);
  shorter.pass(1_100);
  assert.match(other.take(), /^HTTP\/1\.1 504 .*request_timeout/s);
});
