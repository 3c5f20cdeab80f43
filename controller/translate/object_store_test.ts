import assert from "node:assert/strict";
import type { SourceObject } from "./source_object.ts";
import { ObjectStore } from "./object_store.ts";

function gateway(...ports: number[]): SourceObject<"ProxyGateway"> {
  const body = {
    apiVersion: "novaedge.io/v1alpha1",
    kind: "ProxyGateway",
    metadata: { name: "g", namespace: "ns" },
    spec: {
      listeners: ports.map((port, i) => ({ name: `l${i}`, port, protocol: "HTTP" })),
    },
  };
  return {
    kind: "ProxyGateway",
    namespace: "ns",
    name: "g",
    body,
    origin: "",
    heldBecause: "",
  } as unknown as SourceObject<"ProxyGateway">;
}

Deno.test("bug: a gateway with two listeners on one port can change and go", () => {
  const store = new ObjectStore();
  const key = { kind: "ProxyGateway", namespace: "ns", name: "g" } as const;
  store.apply({ key, object: gateway(80, 80) });
  assert.equal(store.indexed("gateway-port:80", "ProxyGateway").length, 1);
  store.apply({ key, object: gateway(80, 80, 81) });
  assert.equal(store.indexed("gateway-port:81", "ProxyGateway").length, 1);
  store.apply({ key, object: null });
  assert.equal(store.indexed("gateway-port:80", "ProxyGateway").length, 0);
});
