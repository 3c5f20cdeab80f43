import assert from "node:assert/strict";
import fc from "fast-check";
import { DeltaSender } from "../../common/delta/delta_sender.ts";
import { ResourceStore } from "../../common/delta/resource_store.ts";
import { keyOf, Kind, type Resource } from "../../common/delta/resources.ts";
import { sha256 } from "../../common/hash.ts";
import {
  Backend,
  Certificate,
  Gateway,
  Policy,
  Route,
  Vip,
} from "../../proto/gen/novaedge/v1/config.ts";
import { NodeScopes } from "./node_scopes.ts";

function resource(kind: Kind, name: string, body: Uint8Array): Resource {
  return { kind, name, body, hash: sha256(body) } as Resource;
}

/**
 * A gateway with an address and a certificate, a route of it, and the route's backend, all by one name.
 * @param guarded whether the backend has a policy that asks that same backend
 */
function site(name: string, backend = name, guarded = false): Resource[] {
  const gateway = `Gateway/x/${name}`;
  const listener = {
    name: "l",
    bindAddresses: [`10.0.0.${name.length}`],
    tls: { certificates: [{ certificate: `Secret/x/${name}` }] },
  };
  return [
    resource(
      Kind.KIND_CERTIFICATE,
      `Secret/x/${name}`,
      Certificate.encode(Certificate.fromPartial({ name })).finish(),
    ),
    resource(
      Kind.KIND_BACKEND,
      `Service/x/${backend}:80`,
      Backend.encode(Backend.fromPartial({
        name: backend,
        policies: guarded ? [`ProxyPolicy/x/${backend}`] : [],
      })).finish(),
    ),
    ...(guarded
      ? [resource(
        Kind.KIND_POLICY,
        `ProxyPolicy/x/${backend}`,
        Policy.encode(Policy.fromPartial({
          rule: { $case: "forwardAuth", value: { backend: `Service/x/${backend}:80` } },
        })).finish(),
      )]
      : []),
    resource(
      Kind.KIND_ROUTE,
      `HTTPRoute/x/${name}`,
      Route.encode(Route.fromPartial({
        name,
        listeners: [`${gateway}/l`],
        rules: [{ backendRefs: [{ backend: `Service/x/${backend}:80` }] }],
      })).finish(),
    ),
    resource(
      Kind.KIND_GATEWAY,
      gateway,
      Gateway.encode(Gateway.fromPartial({ name, listeners: [listener] })).finish(),
    ),
    resource(
      Kind.KIND_VIP,
      listener.bindAddresses[0],
      Vip.encode(Vip.fromPartial({ address: listener.bindAddresses[0] })).finish(),
    ),
    resource(Kind.KIND_OUTCOME, `Gateway/x/${name}`, new Uint8Array([1])),
    resource(Kind.KIND_OUTCOME, `Service/x/${backend}`, new Uint8Array([2])),
  ];
}

class Scene {
  readonly store = new ResourceStore();
  /** Gateways by node. */
  readonly serving = new Map<string, Set<string>>();
  readonly scopes = new NodeScopes(
    this.store,
    (node, gateway) => this.serving.get(node)?.has(gateway) === true,
  );

  put(...resources: Resource[]) {
    for (const each of resources) this.store.set(each);
    return this.refresh(resources);
  }
  take(...resources: Resource[]) {
    for (const each of resources) this.store.delete(keyOf(each));
    return this.refresh(resources);
  }
  refresh(resources: Resource[] = []) {
    return this.scopes.refresh(resources.map(keyOf), this.serving.keys());
  }
  serve(node: string, ...gateways: string[]) {
    this.serving.set(node, new Set(gateways.map((name) => `Gateway/x/${name}`)));
  }
  seen(node: string): Set<string> {
    const view = this.scopes.viewFor(node);
    return new Set([...view.keys()].filter((key) => view.get(key) !== undefined));
  }
}

const keys = (resources: Resource[]) => new Set(resources.map(keyOf));

Deno.test("a node gets its gateways, their routes and what these need, and nothing of others", () => {
  const scene = new Scene();
  scene.serve("n1", "a");
  scene.serve("n2", "a", "bb");
  scene.put(...site("a"), ...site("bb"), ...site("ccc"));
  assert.deepEqual(scene.seen("n1"), keys(site("a")));
  assert.deepEqual(scene.seen("n2"), keys([...site("a"), ...site("bb")]));
  const certificate = keyOf({ kind: Kind.KIND_CERTIFICATE, name: "Secret/x/bb" });
  assert.equal(scene.scopes.viewFor("n1").get(certificate), undefined, "asked for by its name too");
  assert.deepEqual(scene.seen("stranger"), new Set());
});

Deno.test("what a node no longer needs changes for it, so that it loses it", () => {
  const scene = new Scene();
  scene.serve("n1", "a", "bb");
  scene.put(...site("a"), ...site("bb"));
  scene.serve("n1", "a");
  assert.deepEqual(scene.refresh().get("n1"), keys(site("bb")));
  assert.deepEqual(scene.seen("n1"), keys(site("a")));
});

Deno.test("an endpoint change concerns its backend and nothing else", () => {
  const scene = new Scene();
  scene.serve("n1", "a");
  scene.put(...site("a"));
  const message = Backend.fromPartial({ name: "a", endpoints: [{ address: "10.1.1.1" }] });
  const backend = resource(Kind.KIND_BACKEND, "Service/x/a:80", Backend.encode(message).finish());
  assert.deepEqual(scene.put(backend).get("n1"), keys([backend]));
});

Deno.test("a policy that asks the backend it is for goes with what needed them", () => {
  const scene = new Scene();
  scene.serve("n1", "a");
  scene.put(...site("a", "a", true));
  assert.ok(scene.seen("n1").has(keyOf({ kind: Kind.KIND_POLICY, name: "ProxyPolicy/x/a" })));
  const [route] = site("a").filter(({ kind }) => kind === Kind.KIND_ROUTE);
  const gone = keys(
    site("a", "a", true).filter(({ name }) => /^(HTTPRoute|Service|ProxyPolicy)\/x\/a/.test(name)),
  );
  assert.deepEqual(scene.take(route).get("n1"), gone);
});

Deno.test("after any edits and moves each node holds exactly what its scope has", () => {
  const names = fc.constantFrom("a", "bb", "ccc");
  const step = fc.oneof(
    fc.record({
      do: fc.constant("put" as const),
      name: names,
      backend: names,
      guarded: fc.boolean(),
    }),
    fc.record({ do: fc.constant("take" as const), name: names, guarded: fc.boolean() }),
    fc.record({
      do: fc.constant("serve" as const),
      node: fc.constantFrom("n1", "n2"),
      gateways: fc.subarray(["a", "bb", "ccc"]),
    }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
    const scene = new Scene();
    scene.serve("n1", "a");
    scene.serve("n2", "bb", "ccc");
    const nodes = ["n1", "n2"].map((node) => ({
      node,
      sender: new DeltaSender(scene.scopes.viewFor(node), []),
      held: new ResourceStore(),
    }));
    for (const each of steps) {
      let changed: Map<string, ReadonlySet<string>>;
      if (each.do === "put") changed = scene.put(...site(each.name, each.backend, each.guarded));
      else if (each.do === "take") {
        changed = scene.take(...site(each.name, each.name, each.guarded));
      } else {
        scene.serve(each.node, ...each.gateways);
        changed = scene.refresh();
      }
      for (const { node, sender, held } of nodes) {
        sender.changed(changed.get(node)!);
        for (let delta = sender.next(); delta !== null; delta = sender.next()) {
          held.apply(delta);
          sender.acknowledge(delta.nonce, delta.version!);
        }
        assert.deepEqual(new Set(held.keys()), scene.seen(node));
        const fresh = new NodeScopes(scene.store, (n, g) => scene.serving.get(n)!.has(g));
        fresh.refresh([...scene.store.keys()], scene.serving.keys());
        assert.deepEqual(new Set(fresh.viewFor(node).keys()), scene.seen(node));
      }
    }
  }));
});
