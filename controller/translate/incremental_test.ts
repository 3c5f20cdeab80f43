import assert from "node:assert/strict";
import fc from "fast-check";
import { type KindName, KINDS } from "../../api/kinds.ts";
import { kindOf, validate } from "../../api/validate.ts";
import { keyOf } from "../../common/delta/resources.ts";
import type { ObjectKey, SourceChange, SourceObject } from "./source_object.ts";
import { objectKey } from "./source_object.ts";
import { Translator } from "./translator.ts";

const NAMESPACES = ["one", "two"];
const NAMES = ["a", "b", "c"];

const name = fc.constantFrom(...NAMES);
const namespace = fc.constantFrom(...NAMESPACES);
const crossing = fc.option(namespace, { nil: undefined });

/** Bodies of every kind, small enough that references often meet. */
const spec: Readonly<Record<string, fc.Arbitrary<Record<string, unknown>>>> = {
  ProxyGateway: fc.record({
    port: fc.constantFrom(80, 81),
    hostnames: fc.subarray(["x.example.com", "*.example.com"]),
    from: fc.constantFrom("Same", "All"),
    secret: name,
    secretNamespace: crossing,
    protocol: fc.constantFrom("HTTP", "HTTPS"),
  }).map(({ port, hostnames, from, secret, secretNamespace, protocol }) => ({
    spec: {
      listeners: [{
        name: "l",
        port,
        protocol,
        hostnames,
        allowedRoutes: { namespaces: { from } },
        tls: {
          secretRef: {
            name: secret,
            ...(secretNamespace === undefined ? {} : { namespace: secretNamespace }),
          },
        },
      }, { name: "second", port, protocol: "HTTP" }],
    },
  })),
  ProxyRoute: fc.record({
    parent: fc.option(name),
    parentNamespace: crossing,
    backend: name,
    backendNamespace: crossing,
  })
    .map(({ parent, parentNamespace, backend, backendNamespace }) => ({
      spec: {
        ...(parent === null ? {} : {
          parentRefs: [{
            name: parent,
            ...(parentNamespace === undefined ? {} : { namespace: parentNamespace }),
          }],
        }),
        rules: [{
          backendRefs: [{
            name: backend,
            ...(backendNamespace === undefined ? {} : { namespace: backendNamespace }),
          }],
        }],
      },
    })),
  ProxyBackend: fc.record({
    service: name,
    serviceNamespace: crossing,
    port: fc.constantFrom(80, 81),
  })
    .map(({ service, serviceNamespace, port }) => ({
      spec: {
        serviceRef: {
          name: service,
          port,
          ...(serviceNamespace === undefined ? {} : { namespace: serviceNamespace }),
        },
      },
    })),
  GatewayClass: fc.constantFrom("novaedge.io/gateway-controller", "example.com/other").map((
    controllerName,
  ) => ({ spec: { controllerName } })),
  Gateway: fc.record({
    gatewayClassName: name,
    port: fc.constantFrom(80, 81),
    from: fc.constantFrom("Same", "All", "Selector"),
    secret: name,
    protocol: fc.constantFrom("HTTP", "HTTPS"),
  }).map(({ gatewayClassName, port, from, secret, protocol }) => ({
    spec: {
      gatewayClassName,
      listeners: [{
        name: "l",
        port,
        protocol,
        tls: { certificateRefs: [{ name: secret }] },
        allowedRoutes: { namespaces: { from, selector: { matchLabels: { a: "b" } } } },
      }],
    },
  })),
  Namespace: fc.constantFrom({}, { a: "b" }).map((labels) => ({ labels })),
  HTTPRoute: fc.record({ parent: name, parentNamespace: namespace, service: name })
    .map(({ parent, parentNamespace, service }) => ({
      spec: {
        parentRefs: [{ name: parent, namespace: parentNamespace }],
        rules: [{ backendRefs: [{ name: service, port: 80 }] }],
      },
    })),
  GRPCRoute: fc.record({ parent: name, service: name, serviceNamespace: namespace })
    .map(({ parent, service, serviceNamespace }) => ({
      spec: {
        parentRefs: [{ name: parent }],
        rules: [{ backendRefs: [{ name: service, namespace: serviceNamespace, port: 80 }] }],
      },
    })),
  ProxyPolicy: fc.record({
    kind: fc.constantFrom("ProxyGateway", "ProxyRoute", "ProxyBackend", "Service", "HTTPRoute"),
    target: name,
    type: fc.constantFrom("IPDenyList", "RateLimit"),
    sectionName: fc.option(fc.constantFrom("l", "second"), { nil: undefined }),
  }).map(({ kind, target, type, sectionName }) => ({
    spec: {
      targetRef: { kind, name: target, ...(sectionName === undefined ? {} : { sectionName }) },
      type,
      ipList: { cidrs: ["10.0.0.0/8"] },
      rateLimit: { requestsPerSecond: 1 },
    },
  })),
  Service: fc.constantFrom(80, 81).map((port) => ({ spec: { ports: [{ port }] } })),
  EndpointSlice: fc.record({
    service: name,
    address: fc.constantFrom("10.0.0.1", "10.0.0.2"),
    ready: fc.boolean(),
  })
    .map(({ service, address, ready }) => ({
      labels: { "kubernetes.io/service-name": service },
      addressType: "IPv4",
      ports: [{ port: 8080 }],
      endpoints: [{ addresses: [address], conditions: { ready } }],
    })),
  Secret: fc.constantFrom("Opaque", "kubernetes.io/tls").map((type) => ({ type, data: {} })),
  ReferenceGrant: fc.record({
    from: fc.constantFrom("ProxyRoute", "ProxyBackend", "ProxyGateway"),
    namespace,
  })
    .map(({ from, namespace }) => ({
      spec: {
        from: [
          { group: "novaedge.io", kind: from, namespace },
          { group: "gateway.networking.k8s.io", kind: "GRPCRoute", namespace },
        ],
        to: [{ group: "novaedge.io", kind: "ProxyBackend" }, { group: "", kind: "Service" }, {
          group: "",
          kind: "Secret",
        }],
      },
    })),
};

const API_VERSION: Readonly<Record<string, string>> = {
  Service: "v1",
  Secret: "v1",
  EndpointSlice: "discovery.k8s.io/v1",
  ReferenceGrant: "gateway.networking.k8s.io/v1",
  GatewayClass: "gateway.networking.k8s.io/v1",
  Gateway: "gateway.networking.k8s.io/v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  GRPCRoute: "gateway.networking.k8s.io/v1",
  Namespace: "v1",
};

const change: fc.Arbitrary<SourceChange> = fc.constantFrom(...Object.keys(spec)).chain((kind) =>
  fc.record({
    name: kind === "Namespace" ? namespace : name,
    namespace,
    body: fc.option(spec[kind], { freq: 4 }),
  }).map(
    ({ name, namespace: given, body }) => {
      const namespace = KINDS[kind as KindName].clusterScoped === true ? "" : given;
      const key = { kind: kind as KindName, namespace, name };
      if (body === null) return { key, object: null };
      const { labels, ...rest } = body;
      const document = {
        apiVersion: API_VERSION[kind] ?? "novaedge.io/v1alpha1",
        kind,
        metadata: {
          name,
          ...(namespace === "" ? {} : { namespace }),
          ...(labels === undefined ? {} : { labels }),
        },
        ...rest,
      };
      assert.ok("kind" in kindOf(document));
      assert.deepEqual(validate(key.kind, document), []);
      return {
        key,
        object: {
          ...key,
          body: document,
          origin: "f:1",
          heldBecause: "",
        } as unknown as SourceObject,
      };
    },
  )
);

Deno.test("incremental translation equals a full one after any sequence of edits", () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 25 }), (steps) => {
      const incremental = new Translator({ secret: new Uint8Array(32) });
      const held = new Map<string, string>();
      const objects = new Map<string, [ObjectKey, SourceObject]>();
      for (const step of steps) {
        for (const { kind, name, resource } of incremental.update(step)) {
          if (resource === null) held.delete(keyOf({ kind, name }));
          else held.set(keyOf({ kind, name }), resource.hash);
        }
        for (const { key, object } of step) {
          if (object === null) objects.delete(objectKey(key));
          else objects.set(objectKey(key), [key, object]);
        }
      }
      const full = new Translator({ secret: new Uint8Array(32) }).update(
        [...objects.values()].map(([key, object]) => ({ key, object })),
      );
      const expected = new Map(
        full.map(({ kind, name, resource }) => [keyOf({ kind, name }), resource!.hash]),
      );
      assert.deepEqual(new Map([...held].sort()), new Map([...expected].sort()));
    }),
    { numRuns: 500 },
  );
});

function object(kind: KindName, name: string, rest: Record<string, unknown>): SourceChange {
  const key = { kind, namespace: "one", name };
  const { labels, ...body } = rest;
  const document = {
    apiVersion: API_VERSION[kind] ?? "novaedge.io/v1alpha1",
    kind,
    metadata: { name, namespace: "one", labels },
    ...body,
  };
  return {
    key,
    object: { ...key, body: document, origin: "f:1", heldBecause: "" } as unknown as SourceObject,
  };
}

Deno.test("one EndpointSlice change among 3,000 routes recomputes one backend and the slice", () => {
  const translator = new Translator({ secret: new Uint8Array(32) });
  const changes: SourceChange[] = [
    object("ProxyGateway", "g", {
      spec: { listeners: [{ name: "l", port: 80, protocol: "HTTP" }] },
    }),
  ];
  const slice = (i: number, address: string) =>
    object("EndpointSlice", `s${i}`, {
      labels: { "kubernetes.io/service-name": `s${i}` },
      addressType: "IPv4",
      ports: [{ port: 8080 }],
      endpoints: [{ addresses: [address] }],
    });
  for (let i = 0; i < 3000; i++) {
    changes.push(
      object("ProxyRoute", `r${i}`, { spec: { rules: [{ backendRefs: [{ name: `b${i}` }] }] } }),
      object("ProxyBackend", `b${i}`, { spec: { serviceRef: { name: `s${i}`, port: 80 } } }),
      object("Service", `s${i}`, { spec: { ports: [{ port: 80 }] } }),
      slice(i, "10.0.0.1"),
    );
  }
  translator.update(changes);
  const before = translator.derivations;
  const updates = translator.update([slice(7, "10.0.0.2")]);
  assert.equal(translator.derivations - before, 2);
  assert.deepEqual(updates.map(({ name }) => name), ["ProxyBackend/one/b7"]);
});
