import assert from "node:assert/strict";
import { httpBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { key: string; value: Record<string, string> }[];
  readonly status: { readonly code?: number };
}

Deno.test("traces: backends hear of them, the collector gets what is sampled, and may be away", async () => {
  const spans: ReceivedSpan[] = [];
  let arrived: () => void = () => {};
  const collect = (port: number) =>
    Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, async (request) => {
      const { resourceSpans } = await request.json();
      spans.push(...resourceSpans[0].scopeSpans[0].spans);
      arrived();
      return Response.json({});
    });
  const collectorPort = freePort();
  await using served = httpBackend((request) =>
    new Response(request.headers.get("traceparent") ?? "none", {
      status: new URL(request.url).pathname === "/broken" ? 503 : 200,
    })
  );
  const port = freePort();
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", port) + "  tracing: { samplingRate: 0 }\n",
      route("all", "b"),
      backend("b", served.port),
    ),
  }, { workers: 1, dataplaneArgs: ["--otlp-endpoint", `http://127.0.0.1:${collectorPort}`] });
  const ask = (path: string, flags: string) =>
    get(port, path, { traceparent: `00-${TRACE}-${PARENT}-${flags}` });
  // Nobody listens yet: the request does not notice.
  assert.equal((await ask("/away", "01")).status, 200);
  await edge.dataplane.line(/traces are not taken/);
  const collector = collect(collectorPort);
  const next = new Promise<void>((resolve) => arrived = resolve);
  const told = (await ask("/shop?secret=1", "01")).body;
  assert.match(told, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  assert.notEqual(told.split("-")[2], PARENT);
  assert.match((await ask("/", "00")).body, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  assert.match((await get(port)).body, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  await next;
  assert.equal(spans.length, 1);
  const [span] = spans;
  const attributes = Object.fromEntries(
    span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]),
  );
  assert.deepEqual([span.traceId, span.spanId, span.parentSpanId], [
    TRACE,
    told.split("-")[2],
    PARENT,
  ]);
  assert.equal(span.name, "GET ProxyRoute/default/all");
  assert.equal(attributes["url.path"], "/shop");
  assert.equal(attributes["http.response.status_code"], "200");
  assert.equal(attributes["novaedge.endpoint"], `127.0.0.1:${served.port}`);
  assert.ok(BigInt(span.endTimeUnixNano) > BigInt(span.startTimeUnixNano));
  assert.ok(Math.abs(Number(BigInt(span.startTimeUnixNano) / 1_000_000n) - Date.now()) < 60_000);
  const broken = new Promise<void>((resolve) => arrived = resolve);
  await ask("/broken", "01");
  await broken;
  assert.equal(spans[1].status.code, 2);
  assert.equal(await edge.metric("novaedge_spans_exported_total"), 2);
  assert.equal(await edge.metric("novaedge_spans_dropped_total"), 1);
  const line = await edge.dataplane.line(/"path":"\/shop"/);
  assert.equal(JSON.parse(line).trace_id, TRACE);
  await collector.shutdown();
});
