import assert from "node:assert/strict";
import { httpBackend, textBackend } from "../support/backends.ts";
import { backend, Edge, gateway, route } from "../support/edge.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

for (const [name, address] of [["an address", "127.0.0.1"], ["a name", "localhost"]]) {
  Deno.test(`a backend at a blocked address is never reached, by ${name}; one that is allowed is`, async () => {
    await using there = textBackend("reached");
    const port = freePort();
    const files = {
      "edge.yaml": [
        gateway("edge", port),
        route("all", "b"),
        backend("b", there.port).replace("127.0.0.1", address),
      ].join("---\n"),
    };
    const blocked = "--blocked-upstreams=127.0.0.0/8,::1";
    {
      await using edge = await Edge.start(files, { dataplaneArgs: [blocked] });
      assert.equal((await get(port)).status, 502);
      assert.ok(edge.dataplane.process.pid > 0);
    }
    const allowed = "--allowed-upstreams=127.0.0.1,::1";
    await using _ = await Edge.start(files, { dataplaneArgs: [blocked, allowed] });
    assert.equal((await get(port)).body, "reached");
  });
}

Deno.test("a backend at the address of a cluster's node is not reached, once the node is known", async () => {
  await using there = textBackend("reached");
  const port = freePort();
  const node = `apiVersion: v1
kind: Node
metadata: { name: one }
status: { addresses: [{ type: InternalIP, address: 127.0.0.1 }] }
`;
  await using edge = await Edge.start({
    "edge.yaml": [gateway("edge", port), route("all", "b"), backend("b", there.port)].join("---\n"),
  });
  assert.equal((await get(port)).body, "reached");
  await edge.change("node.yaml", node);
  // Connections that are there already stay.
  await edge.change(
    "edge.yaml",
    [gateway("edge", port), route("all", "b2"), backend("b2", there.port)].join("---\n"),
  );
  assert.equal((await get(port)).status, 502);
  await edge.change("node.yaml", node.replace("127.0.0.1", "192.0.2.1"));
  assert.equal((await get(port)).body, "reached");
});

Deno.test("bug: health checks went to the addresses of a cluster's nodes", async () => {
  let asked = 0;
  await using there = httpBackend(() => {
    asked++;
    return new Response("well");
  });
  const node = `apiVersion: v1
kind: Node
metadata: { name: one }
status: { addresses: [{ type: InternalIP, address: 127.0.0.1 }] }
`;
  const checked = `${
    backend("b", there.port)
  }  healthCheck: { httpPath: /, interval: 1s, timeout: 1s, healthyThreshold: 1, unhealthyThreshold: 1 }
`;
  await using edge = await Edge.start({
    "edge.yaml": [gateway("edge", freePort()), route("all", "b"), checked].join("---\n"),
  });
  await edge.dataplane.line(/health check passes/);
  assert.ok(asked > 0);
  await edge.change("node.yaml", node);
  await edge.dataplane.line(/health check fails/);
  const before = asked;
  await edge.change("node.yaml", node.replace("127.0.0.1", "192.0.2.1"));
  await edge.dataplane.line(/health check passes/, edge.dataplane.mark);
  assert.ok(asked > before);
});
