import assert from "node:assert/strict";
import { CONTROLLER_NAME } from "../../api/gateway_api.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { type Status, type StatusFacts, statusOf } from "./status_documents.ts";

const THEN = "2030-01-01T00:00:00Z";
const NOW = "2030-01-02T00:00:00Z";

function facts(status?: Status, generation = 3): StatusFacts {
  return {
    generation,
    status,
    now: NOW,
    attachedRoutes: (name) => name === "http" ? 2 : 0,
    attachedSets: 1,
    programmed: () => ({ holds: true, reason: "Programmed", message: "" }),
  };
}

const condition = (type: string, status: boolean, reason = type, message = "") => ({
  type,
  status,
  reason,
  message,
});

function written(type: string, status: "True" | "False", time: string, generation = 3) {
  return {
    type,
    status,
    observedGeneration: generation,
    lastTransitionTime: time,
    reason: type,
    message: "",
  };
}

const GATEWAY = Outcome.fromPartial({
  kind: "Gateway",
  namespace: "n",
  name: "g",
  conditions: [condition("Accepted", true)],
  addresses: ["192.0.2.1"],
  listeners: [{
    name: "http",
    supportedKinds: ["HTTPRoute"],
    conditions: [condition("Accepted", true), condition("Conflicted", false)],
  }],
});

Deno.test("a Gateway's status has its listeners with the number of their routes", () => {
  const status = statusOf(GATEWAY, facts())!;
  assert.deepEqual(status, {
    conditions: [written("Accepted", "True", NOW), written("Programmed", "True", NOW)],
    addresses: [{ type: "IPAddress", value: "192.0.2.1" }],
    attachedListenerSets: 1,
    listeners: [{
      name: "http",
      supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }],
      attachedRoutes: 2,
      conditions: [
        written("Accepted", "True", NOW),
        written("Conflicted", "False", NOW),
        written("Programmed", "True", NOW),
      ],
    }],
  });
  assert.equal(statusOf(GATEWAY, facts(status)), null, "nothing to write twice");
});

Deno.test("a condition keeps the time since which it holds, and says which generation it is of", () => {
  const before = { conditions: [written("Accepted", "True", THEN, 2)], listeners: [] };
  const status = statusOf(GATEWAY, facts(before))!;
  assert.deepEqual(status.conditions![0], written("Accepted", "True", THEN));
  const lost = Outcome.fromPartial({ ...GATEWAY, conditions: [condition("Accepted", false)] });
  assert.deepEqual(
    statusOf(lost, facts(before))!.conditions![0],
    written("Accepted", "False", NOW),
  );
});

const PARENT = {
  kind: "Gateway",
  namespace: "n",
  name: "g",
  sectionName: "http",
  port: 0,
  conditions: [condition("Accepted", true)],
};
const ROUTE = Outcome.fromPartial({
  kind: "HTTPRoute",
  namespace: "n",
  name: "r",
  parents: [PARENT],
});
const THEIRS = {
  parentRef: { name: "other" },
  controllerName: "example.com/other",
  conditions: [written("Accepted", "True", THEN, 1)],
};

Deno.test("what other controllers say of a route's parents stays, ours goes with its parent", () => {
  const status = statusOf(ROUTE, facts({ parents: [THEIRS] }))!;
  assert.deepEqual(status.parents!.map(({ controllerName }) => controllerName), [
    "example.com/other",
    CONTROLLER_NAME,
  ]);
  assert.deepEqual(status.parents![0], THEIRS);
  assert.deepEqual(status.parents![1].parentRef, {
    group: "gateway.networking.k8s.io",
    kind: "Gateway",
    namespace: "n",
    name: "g",
    sectionName: "http",
  });
  assert.equal(statusOf(ROUTE, facts(status)), null);
  const gone = Outcome.fromPartial({ ...ROUTE, parents: [] });
  assert.deepEqual(statusOf(gone, facts(status)), { parents: [THEIRS] });
  assert.equal(statusOf(gone, facts({ parents: [THEIRS] })), null);
});

Deno.test("an object of another controller's class gets no status", () => {
  const foreign = Outcome.fromPartial({ kind: "Gateway", namespace: "n", name: "g" });
  assert.equal(statusOf(foreign, facts()), null);
});

Deno.test("our own kinds say which generation was seen, and a class what it can", () => {
  const own = Outcome.fromPartial({
    kind: "ProxyRoute",
    namespace: "n",
    name: "r",
    conditions: [condition("Accepted", true)],
  });
  assert.equal(statusOf(own, facts())!.observedGeneration, 3);
  const features = Outcome.fromPartial({
    kind: "GatewayClass",
    name: "c",
    conditions: [condition("Accepted", true)],
    supportedFeatures: ["Gateway", "HTTPRoute"],
  });
  assert.deepEqual(statusOf(features, facts())!.supportedFeatures, [
    { name: "Gateway" },
    { name: "HTTPRoute" },
  ]);
});

Deno.test("what translation says against Programmed comes before what the nodes say", () => {
  const pending = { holds: false, reason: "Pending", message: "waiting for node a" };
  const waiting = statusOf(GATEWAY, { ...facts(), programmed: () => pending })!;
  assert.equal(waiting.conditions!.find(({ type }) => type === "Programmed")!.reason, "Pending");
  assert.equal(waiting.listeners![0].conditions.at(-1)!.message, "waiting for node a");
  const unserved = {
    ...GATEWAY,
    conditions: [...GATEWAY.conditions, condition("Programmed", false, "AddressNotUsable")],
  };
  const refused = statusOf(unserved, facts())!;
  assert.equal(refused.conditions!.at(-1)!.reason, "AddressNotUsable");
  assert.equal(refused.conditions!.at(-1)!.status, "False");
});

Deno.test("a policy has a part for each Gateway, beside what other controllers say", () => {
  const policy = Outcome.fromPartial({
    kind: "BackendTLSPolicy",
    namespace: "n",
    name: "p",
    parents: [{ ...PARENT, sectionName: "" }],
  });
  const foreign = {
    ancestorRef: { kind: "Gateway", name: "other" },
    controllerName: "example.com/other",
    conditions: [],
  };
  const status = statusOf(policy, facts({ ancestors: [foreign] }))!;
  const group = "gateway.networking.k8s.io";
  assert.deepEqual(status.ancestors, [foreign, {
    ancestorRef: { group, kind: "Gateway", namespace: "n", name: "g" },
    controllerName: CONTROLLER_NAME,
    conditions: [written("Accepted", "True", NOW)],
  }]);
  assert.equal(statusOf(policy, facts(status)), null);
  const left = statusOf({ ...policy, parents: [] }, facts(status))!;
  assert.deepEqual(left.ancestors, [foreign], "ours goes with the Gateway, the other's stays");
});

const foreign = (type: string, generation = 1) => ({
  ...written(type, "True", THEN, generation),
  reason: "Theirs",
});

Deno.test("conditions of other controllers stay in every list, through generations", () => {
  const ours = written("Accepted", "True", THEN, 2);
  const dns = foreign("example.com/DNSReady");
  const gateway: Status = {
    conditions: [dns, ours],
    listeners: [{
      name: "http",
      supportedKinds: [],
      attachedRoutes: 0,
      conditions: [ours, foreign("external.io/Programmed"), written("Conflicted", "False", THEN)],
    }],
  };
  for (const generation of [3, 4]) {
    const status = statusOf(GATEWAY, facts(gateway, generation))!;
    assert.deepEqual(status.conditions!.map(({ type }) => type), [
      "example.com/DNSReady",
      "Accepted",
      "Programmed",
    ]);
    assert.deepEqual(status.conditions![0], dns, "unchanged");
    assert.equal(status.conditions![1].observedGeneration, generation);
    const [listener] = status.listeners!;
    assert.deepEqual(listener.conditions.map(({ type }) => type), [
      "Accepted",
      "external.io/Programmed",
      "Conflicted",
      "Programmed",
    ]);
    assert.equal(statusOf(GATEWAY, facts(status, generation)), null, "nothing to write twice");
  }
});

Deno.test("a condition of ours that no longer applies goes, those of others at the same parent stay", () => {
  const before = statusOf(ROUTE, facts())!.parents![0];
  const conditions = [
    ...before.conditions,
    written("PartiallyInvalid", "True", THEN),
    foreign("example.com/Canary"),
  ];
  const status = statusOf(ROUTE, facts({ parents: [THEIRS, { ...before, conditions }] }))!;
  assert.deepEqual(status.parents![1].conditions.map(({ type }) => type), [
    "Accepted",
    "example.com/Canary",
  ]);
  assert.deepEqual(status.parents![0], THEIRS);
});

Deno.test("a GatewayClass, a ListenerSet, a policy and our own kinds keep conditions of others", () => {
  const own = [foreign("example.com/Seen"), written("Accepted", "True", THEN)];
  for (const kind of ["GatewayClass", "ListenerSet", "ProxyRoute", "ProxyPolicy"]) {
    const outcome = Outcome.fromPartial({ ...GATEWAY, kind, listeners: [] });
    const { conditions } = statusOf(outcome, facts({ conditions: own }))!;
    assert.deepEqual(conditions![0], own[0], kind);
  }
  const policy = Outcome.fromPartial({ ...ROUTE, kind: "BackendTLSPolicy" });
  const [ancestor] = statusOf(policy, facts())!.ancestors!;
  const conditions = [foreign("example.com/Seen"), ...ancestor.conditions];
  const again = statusOf(policy, facts({ ancestors: [{ ...ancestor, conditions }] }, 4))!;
  assert.deepEqual(again.ancestors![0].conditions[0], conditions[0]);
});

Deno.test("conditions of others leave room for ours: the API server refuses lists of more than 8", () => {
  const others = Array.from({ length: 8 }, (_, index) => foreign(`example.com/C${index}`));
  const { conditions } = statusOf(GATEWAY, facts({ conditions: others }))!;
  assert.equal(conditions!.length, 8);
  assert.deepEqual(conditions!.slice(-2).map(({ type }) => type), ["Accepted", "Programmed"]);
});
