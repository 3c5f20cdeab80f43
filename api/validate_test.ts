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
