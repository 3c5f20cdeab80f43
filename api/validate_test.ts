import assert from "node:assert/strict";
import { kindOf, nearest, validate } from "./validate.ts";

const base = { apiVersion: "novaedge.io/v1alpha1", metadata: { name: "a" } };

Deno.test("validate() names place and reason, and the nearest known field", () => {
  const route = {
    ...base,
    kind: "ProxyRoute",
    spec: { hostname: ["a"], rules: [{ backendRefs: [{ name: "b", weigth: 2 }], timeout: "5 s" }] },
  };
  assert.deepEqual(validate("ProxyRoute", route), [
    { path: "spec.hostname", reason: "unknown field; did you mean hostnames?" },
    {
      path: "spec.rules[0].backendRefs[0].weigth",
      reason: "unknown field; did you mean weight?",
    },
    {
      path: "spec.rules[0].timeout",
      reason: '"5 s" does not have the form of this field (^(0|([0-9]+(\\.[0-9]+)?(ms|s|m|h))+)$)',
    },
  ]);
});

Deno.test("validate() fills in the defaults of the specification", () => {
  const backend: Record<string, unknown> = {
    ...base,
    kind: "ProxyBackend",
    spec: { endpoints: [{ address: "127.0.0.1", port: 80 }], connectionPool: {} },
  };
  assert.deepEqual(validate("ProxyBackend", backend), []);
  assert.deepEqual(backend.spec, {
    endpoints: [{ address: "127.0.0.1", port: 80, weight: 1 }],
    connectionPool: { maxIdleConns: 100, maxIdleConnsPerHost: 256, idleConnTimeout: "90s" },
    lbPolicy: "RoundRobin",
    connectTimeout: "2s",
    idleTimeout: "60s",
    locality: "Any",
    panicThresholdPercent: 0,
  });
});

Deno.test("validate() lets core kinds carry fields that are not modelled", () => {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "a", uid: "1" },
    spec: { clusterIP: "10.0.0.1", ports: [{ port: 80, nodePort: 30000 }] },
  };
  assert.deepEqual(validate("Service", service), []);
});

Deno.test("validate() wants exactly one of serviceRef and endpoints", () => {
  assert.equal(validate("ProxyBackend", { ...base, kind: "ProxyBackend", spec: {} }).length, 1);
});

Deno.test("kindOf() refuses what is no object of a served kind", () => {
  for (
    const document of [null, 1, [], "x", {}, { kind: 3 }, { kind: "constructor" }, { kind: "Pod" }]
  ) {
    assert.ok("problem" in kindOf(document), JSON.stringify(document));
  }
});

Deno.test("nearest() finds words within two edits only", () => {
  assert.equal(nearest("hostnmaes", ["hostnames", "rules"]), "hostnames");
  assert.equal(nearest("zzzzz", ["hostnames", "rules"]), null);
});

Deno.test("bug: a value that does not have its field's form was quoted with the password in it", () => {
  const policy = {
    ...base,
    kind: "ProxyPolicy",
    spec: {
      type: "ForwardAuth",
      targetRef: { kind: "ProxyRoute", name: "r" },
      forwardAuth: { address: "htp://me:hunter2@auth.test/?token=hunter2" },
    },
  };
  assert.deepEqual(validate("ProxyPolicy", policy), [{
    path: "spec.forwardAuth.address",
    reason:
      '"htp://[redacted]@auth.test/?token=[redacted]" does not have the form of this field (^https?://)',
  }]);
});

Deno.test("bug: a kind of a million characters was compared with every kind that is known", () => {
  const found = kindOf({ apiVersion: "v1", kind: "x".repeat(1 << 20) });
  assert.ok("problem" in found);
  assert.equal(found.problem.reason, `kind ${"x".repeat(100)}… is not served by this version`);
});

Deno.test("nearest() compares words of about the same length alone", () => {
  let lowered = 0;
  const word = new Proxy(Object("weigth"), {
    get: (target, name) => {
      if (name === "toLowerCase") lowered++;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as string;
  assert.equal(nearest(word, ["name", "weight", "x".repeat(100_000), "a".repeat(9)]), "weight");
  assert.equal(lowered, 2);
});

Deno.test("validate() describes the first problems of an object and counts the rest", () => {
  const fields = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`field${i}`, 1]));
  const route = { ...base, kind: "ProxyRoute", spec: { rules: [], ...fields } };
  const problems = validate("ProxyRoute", structuredClone(route));
  assert.equal(problems.length, 21);
  assert.match(problems[20].reason, /^4,9\d\d more problems$/);
  assert.equal(validate("ProxyRoute", structuredClone(route), false).length, 1);
});

Deno.test("bug: an object that nests deeper than the stack threw an error", () => {
  let value: unknown = null;
  for (let i = 0; i < 100_000; i++) value = { a: value };
  const gateway = { apiVersion: "gateway.networking.k8s.io/v1", metadata: { name: "a" }, x: value };
  assert.ok(validate("Gateway", gateway).length > 0);
});

Deno.test("of listeners with one name all but the first are problems", () => {
  const listener = { name: "16384", port: 80, protocol: "HTTP" };
  const gateway = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "a" },
    spec: { gatewayClassName: "c", listeners: [listener, listener, { ...listener, name: "b" }] },
  };
  assert.deepEqual(validate("Gateway", gateway), [
    { path: "spec.listeners[1].name", reason: "another listener is named 16384" },
  ]);
});

Deno.test("a field of another version of a kind is refused with the way to write it", () => {
  const cases: [Parameters<typeof validate>[0], unknown, string, RegExp][] = [
    [
      "ProxyRoute",
      { ...base, kind: "ProxyRoute", spec: { rules: [{ backendRef: { name: "b" } }] } },
      "spec.rules[0].backendRef",
      /write backendRefs: \[\{ name: NAME \}\]/,
    ],
    [
      "ProxyGateway",
      { ...base, kind: "ProxyGateway", spec: { vipRef: "v", listeners: [] } },
      "spec.vipRef",
      /write address of each listener/,
    ],
    [
      "ProxyBackend",
      {
        ...base,
        kind: "ProxyBackend",
        spec: {
          endpoints: [{ address: "a", port: 1 }],
          healthCheck: { httpHealthCheck: { path: "/" } },
        },
      },
      "spec.healthCheck.httpHealthCheck",
      /write httpPath/,
    ],
    [
      "ProxyPolicy",
      { ...base, kind: "ProxyPolicy", spec: { targetRef: { kind: "ProxyRoute", name: "r" } } },
      "spec.type",
      /required field is missing; it is one of RateLimit, /,
    ],
  ];
  for (const [kind, object, path, reason] of cases) {
    const found = validate(kind, object).find((problem) => problem.path === path);
    assert.match(found?.reason ?? "", reason, path);
  }
});
