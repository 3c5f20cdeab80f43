import assert from "node:assert/strict";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { Authority, secret, weakPair } from "../support/authority.ts";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route, secureGateway } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

Deno.test("a bad document is reported and its last good version keeps serving, also after restarts", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  const good = documents(
    route("a", "blue", { host: "a.example.com" }),
    route("b", "blue", { host: "b.example.com" }),
  );
  await using edge = await Edge.start({
    "gateway.yaml": documents(gateway("edge", port), backend("blue", blue.port)),
    "routes.yaml": good,
  });
  // One document with an unknown field; the other gets a new hostname and must be taken.
  const bad = documents(
    route("a", "blue", { host: "a.example.com" }).replace("backendRefs", "backendRef"),
    route("b", "blue", { host: "b2.example.com" }),
  );
  await edge.change("routes.yaml", bad);
  assert.equal((await get(port, "/", { host: "a.example.com" })).status, 200);
  assert.equal((await get(port, "/", { host: "b2.example.com" })).status, 200);
  assert.equal((await get(port, "/", { host: "b.example.com" })).status, 404);

  const shown = (config: { errors: { path: string }[] }) =>
    config.errors.find(({ path }) => path === "spec.rules[0].backendRef");
  const error = shown(await edge.json("/config")) as unknown as Record<string, unknown>;
  assert.equal(error.file, "routes.yaml");
  assert.equal(error.object, "ProxyRoute/default/a");
  assert.equal(error.lastGoodServing, true);
  assert.equal(error.line, 8);
  assert.match(String(error.reason), /unknown field; write backendRefs: /);
  assert.ok(await edge.metric("novaedge_config_errors") >= 1);
  await edge.controller.line(/routes\.yaml:8: spec\.rules\[0\]\.backendRef: unknown field/);

  // The controller starts anew beside the bad file.
  await edge.controller.end("SIGKILL");
  let mark = edge.agent.mark;
  edge.startController();
  await edge.agent.line(/"connected to the controller"/, mark);
  await edge.agent.line(/"configuration applied"/, mark);
  assert.equal((await get(port, "/", { host: "a.example.com" })).status, 200);

  // Mended: the error is gone.
  mark = edge.agent.mark;
  await edge.change("routes.yaml", good);
  assert.equal((await get(port, "/", { host: "b.example.com" })).status, 200);
  assert.deepEqual((await edge.json("/config")).errors, []);
  assert.equal(await edge.metric("novaedge_config_errors"), 0);
});

Deno.test("a syntax error keeps every object of its file", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  await using edge = await Edge.start({
    "gateway.yaml": documents(gateway("edge", port), backend("blue", blue.port)),
    "routes.yaml": route("a", "blue", { host: "a.example.com" }),
  });
  await edge.change("routes.yaml", "kind: ProxyRoute\nmetadata: { name: a\nspec: [\n");
  assert.equal((await get(port, "/", { host: "a.example.com" })).status, 200);
  const { errors } = await edge.json("/config");
  assert.ok(errors.length >= 1);
  assert.equal(errors[0].file, "routes.yaml");
});

Deno.test("bug: the dataplane's version stayed behind after changes that it does not need", async () => {
  await using blue = textBackend("blue");
  await using edge = await Edge.start({
    "site.yaml": documents(gateway("edge", freePort()), backend("blue", blue.port)),
  });
  const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: own }\ndata: { a: b }\n";
  await edge.change("own.yaml", text);
  const { version, dataplane } = await edge.json("/config");
  assert.equal(dataplane.version, version);
});

Deno.test("an unknown backend answers 500 with its reason, everything else serves", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      backend("blue", blue.port),
      route("good", "blue", { host: "good.example.com" }),
      route("lost", "nowhere", { host: "lost.example.com" }),
    ),
  });
  const lost = await get(port, "/", { host: "lost.example.com" });
  assert.equal(lost.status, 500);
  assert.equal(lost.body, "500 backend_missing\n");
  assert.equal((await get(port, "/", { host: "good.example.com" })).status, 200);
  const { objects } = await edge.json("/config");
  const outcome = objects.find((o: { name: string }) => o.name === "lost");
  assert.match(JSON.stringify(outcome.conditions), /ProxyBackend default\/nowhere not found/);
  await edge.controller.line(
    /ProxyRoute\/default\/lost: BackendNotFound: ProxyBackend default\/nowhere not found/,
  );
});

Deno.test("a taken port is one clear line and everything else serves", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const takenPort = (taken.addr as Deno.NetAddr).port;
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port, takenPort),
      backend("blue", blue.port),
      route("shop", "blue"),
    ),
  });
  await edge.dataplane.line(/"listener is down"/);
  assert.equal((await get(port)).status, 200);
  const { listeners } = await edge.json("/endpoints");
  const down = listeners.find((l: { port: number }) => l.port === takenPort);
  assert.match(down.problem, /is taken by another process/);
});

Deno.test("a port that another gateway process shares by SO_REUSEPORT counts as taken", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  const files = {
    "all.yaml": documents(gateway("edge", port), backend("blue", blue.port), route("shop", "blue")),
  };
  await using _first = await Edge.start(files);
  await using second = await Edge.start(files);
  await second.dataplane.line(/"listener is down"/);
});

/** The certificate that a TLS port shows. */
async function shown(port: number): Promise<string> {
  const { socket } = await HttpConnection.open(port, { tls: {} });
  const { fingerprint256 } = (socket as TLSSocket).getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

// Nothing is wrong with the certificate itself; TLS refuses so short a key.
Deno.test("an object that only the dataplane refuses never holds others back", async () => {
  await using blue = textBackend("blue");
  await using green = textBackend("green");
  const [port, tlsPort] = [freePort(), freePort()];
  const authority = await Authority.create();
  const good = await authority.issue({ name: "good", dns: ["a.example.com"] });
  await using edge = await Edge.start({
    "base.yaml": documents(
      secureGateway("edge", port, tlsPort, "server"),
      backend("blue", blue.port),
      backend("green", green.port),
    ),
    "secret.yaml": secret("server", good),
    "routes.yaml": route("shop", "blue"),
  });
  await edge.change("secret.yaml", secret("server", await weakPair()));
  await edge.change("routes.yaml", route("shop", "green"));
  assert.equal((await get(port)).body, "green");
  const { objects } = await edge.json("/config");
  const outcome = objects.find((o: { kind: string }) => o.kind === "Secret");
  assert.equal(outcome.conditions[0].reason, "RefusedByDataplane");
  assert.match(outcome.conditions[0].message, /key too small/);
});

Deno.test("the version before a refused one serves on through restarts of controller and dataplane", async () => {
  await using blue = textBackend("blue");
  const [port, tlsPort] = [freePort(), freePort()];
  const authority = await Authority.create();
  const good = await authority.issue({ name: "good", dns: ["a.example.com"] });
  await using edge = await Edge.start({
    "base.yaml": documents(
      secureGateway("edge", port, tlsPort, "server"),
      backend("blue", blue.port),
      route("shop", "blue"),
    ),
    "secret.yaml": secret("server", good),
  });
  const before = await shown(tlsPort);
  await edge.change("secret.yaml", secret("server", await weakPair()));
  await edge.controller.line(/a node refused a resource/);
  assert.equal(await shown(tlsPort), before);
  await edge.controller.end("SIGKILL");
  edge.startController();
  // It does not know of the refusal and sends the version again; the agent answers for its dataplane.
  await edge.controller.line(/a node refused a resource/);
  assert.equal(await shown(tlsPort), before);
  await edge.dataplane.end("SIGKILL");
  const mark = edge.agent.mark;
  edge.startDataplane();
  await edge.agent.line(/the dataplane runs the configuration held/, mark);
  assert.equal(await shown(tlsPort), before);
});

Deno.test("a resource folder that empties or vanishes is an error and removes nothing", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(gateway("edge", port), backend("blue", blue.port), route("shop", "blue")),
  });
  await Deno.remove(join(edge.resources, "all.yaml"));
  await edge.controller.line(/holds no YAML or JSON file any more; nothing is removed/);
  assert.equal((await get(port)).status, 200);
  await Deno.remove(edge.resources, { recursive: true });
  await edge.controller.line(/nothing is removed/);
  assert.equal((await get(port)).status, 200);
});

Deno.test("no port opens before the first complete configuration", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  await using edge = await Edge.prepare({});
  edge.startDataplane();
  edge.startController();
  edge.startAgent();
  await edge.controller.line(/holds no YAML or JSON file/);
  await edge.agent.line(/"connected to the dataplane"/);
  await assert.rejects(Deno.connect({ port, hostname: "127.0.0.1" }));
  assert.equal((await edge.get("/ready")).status, 503);
  await edge.change(
    "all.yaml",
    documents(gateway("edge", port), backend("blue", blue.port), route("shop", "blue")),
  );
  assert.equal((await get(port)).status, 200);
  assert.equal((await edge.get("/ready")).status, 200);
});

Deno.test("a field that restricts and is not served yet closes its rule", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  const restricted = route("shop", "blue").replace(
    "      backendRefs",
    "      bodyTransform: { request: [{ op: remove, path: /secret }] }\n      backendRefs",
  );
  await using edge = await Edge.start({
    "all.yaml": documents(gateway("edge", port), backend("blue", blue.port), restricted),
  });
  assert.equal((await get(port)).body, "500 route_closed\n");
  const { objects } = await edge.json("/config");
  assert.match(JSON.stringify(objects), /UnsupportedField/);
  // Bug: only /config said so.
  await edge.controller.line(/ProxyRoute\/default\/shop: UnsupportedField: .*bodyTransform/);
  assert.deepEqual(blue.requests, []);
});

Deno.test("bug: /ready said nothing of listeners that are down", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  using taken = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port: closed } = taken.addr as Deno.NetAddr;
  await using edge = await Edge.start({
    "gateway.yaml": gateway("edge", port, closed),
    "rest.yaml": documents(backend("blue", blue.port), route("shop", "blue")),
  });
  const ready = async () => {
    const response = await edge.get("/ready");
    return [response.status, await response.text()];
  };
  const reason = `listeners are not open: http://127.0.0.1:${closed}: ` +
    `port ${closed} is taken by another process\n`;
  assert.deepEqual(await ready(), [200, `ready, but 1 of 2 ${reason}`]);
  assert.equal(await edge.metric("novaedge_agent_listeners_down"), 1);
  const version = /^novaedge_build_info\{program="agent",version="[\d.]+",deno="[\d.]+"\} 1$/m;
  assert.match(await (await edge.get("/metrics")).text(), version);
  await edge.change("gateway.yaml", gateway("edge", closed));
  assert.deepEqual(await ready(), [503, `1 of 1 ${reason}`]);
});
