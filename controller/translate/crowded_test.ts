import assert from "node:assert/strict";
import { FolderState } from "../source/files/folder_state.ts";
import { Translator } from "./translator.ts";

/** Translates documents; returns how often a method of strings or lists called what `count` counts. */
function counted(text: string, count: (done: () => void) => () => void): number {
  const { changes } = new FolderState().apply([["a.yaml", text]]);
  const translator = new Translator({ secret: new Uint8Array(32) });
  let calls = 0;
  const restore = count(() => calls++);
  try {
    translator.update(changes);
  } finally {
    restore();
  }
  return calls;
}

function comparisons(called: () => void): () => void {
  const { sort } = Array.prototype;
  Array.prototype.sort = function (compare) {
    return sort.call(
      this,
      compare && ((a, b) => {
        called();
        return compare(a, b);
      }),
    );
  };
  return () => Array.prototype.sort = sort;
}

function lowered(called: () => void): () => void {
  const { toLowerCase } = String.prototype;
  String.prototype.toLowerCase = function () {
    called();
    return toLowerCase.call(this);
  };
  return () => String.prototype.toLowerCase = toLowerCase;
}

const documents = (count: number, document: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => document(i)).join("---\n");

const policy = (i: number) =>
  `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: p${i} }
spec: { type: RateLimit, targetRef: { kind: ProxyGateway, name: g0 }, rateLimit: { requestsPerSecond: 1 } }
`;

const proxyGateway = (i: number) =>
  `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: g${i} }
spec: { listeners: [{ name: h, port: 80, protocol: HTTP, hostnames: [h${i}.example.com] }] }
`;

const gateway = (i: number) =>
  `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: g${i} }
spec:
  gatewayClassName: c
  listeners: [{ name: h, port: 80, protocol: HTTP, hostname: h${i}.example.com }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: c${i} }
spec: { controllerName: novaedge.io/gateway-controller }
`.replace("c0 }", "c }");

const CROWDS: [what: string, text: (count: number) => string, count: typeof lowered][] = [
  [
    "policies of one target, of which 4,000 took 17 s",
    (count) => `${proxyGateway(0)}---\n${documents(count, policy)}`,
    comparisons,
  ],
  [
    "ProxyGateways on one port, of which 4,000 took 29 s",
    (count) => documents(count, proxyGateway),
    lowered,
  ],
  ["Gateways on one port, of which 4,000 took 79 s", (count) => documents(count, gateway), lowered],
];

for (const [what, text, count] of CROWDS) {
  Deno.test(`bug: objects were compared with each other once for each: ${what}`, () => {
    const [once, twice] = [100, 200].map((size) => counted(text(size), count));
    assert.ok(once >= 100, `${once} calls`);
    assert.ok(twice < 2.6 * once, `${once} calls became ${twice}`);
  });
}
