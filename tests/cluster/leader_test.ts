/** Two controllers at one real API server: who leads, and what a leader that slept may still do. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { ApiClient } from "../../controller/source/kubernetes/api_client.ts";
import { freePort, type Program, startProgram } from "../support/programs.ts";
import type { ApiServer } from "./api_server.ts";
import { gatewayCrds, install, ownCrds } from "./crds.ts";
import { eventually } from "./eventually.ts";
import { apply } from "./objects.ts";
import { withApiServer } from "./tools.ts";

const LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/novaedge-controller";
const CLASS = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: novaedge }
spec: { controllerName: novaedge.io/gateway-controller }
`;

function startController(api: ApiServer, folder: string): Program {
  return startProgram("controller", [
    `--kubeconfig=${api.kubeconfig}`,
    "--leader-election",
    "--namespace=default",
    `--state-dir=${folder}/state`,
    `--grpc-socket=${folder}/agents.sock`,
    `--health-port=${freePort()}`,
    "--metrics-port=0",
  ]);
}

async function term(client: ApiClient): Promise<number> {
  const lease = await client.request(LEASE);
  return (lease.spec as { leaseTransitions: number }).leaseTransitions;
}

/** The status that a class has, when it says something of its present generation. */
async function classStatus(client: ApiClient): Promise<string> {
  const path = "/apis/gateway.networking.k8s.io/v1/gatewayclasses/novaedge";
  for (;;) {
    const { status, metadata } = await client.request(path);
    const { conditions = [] } = (status ?? {}) as {
      conditions?: { observedGeneration?: number }[];
    };
    const current = conditions.every(({ observedGeneration }) =>
      observedGeneration === metadata.generation
    );
    if (conditions.length > 0 && current) return JSON.stringify(status);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The addresses of an object, by where its status has them. */
async function address(client: ApiClient, path: string): Promise<string> {
  let found = "";
  await eventually(`an address of ${path}`, async () => {
    const { addresses = [], loadBalancer } = ((await client.request(path)).status ?? {}) as {
      addresses?: { value: string }[];
      loadBalancer?: { ingress?: { ip: string }[] };
    };
    found = addresses[0]?.value ?? loadBalancer?.ingress?.[0]?.ip ?? "";
    return found !== "";
  });
  return found;
}

const POOL = `apiVersion: novaedge.io/v1alpha1
kind: GatewayParameters
metadata: { name: pool, namespace: default }
spec: { addressPools: [192.0.2.0/28] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: novaedge }
spec:
  controllerName: novaedge.io/gateway-controller
  parametersRef: { group: novaedge.io, kind: GatewayParameters, name: pool, namespace: default }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: first, namespace: default }
spec:
  gatewayClassName: novaedge
  listeners: [{ name: http, port: 80, protocol: HTTP }]
`;
const INGRESS = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: novaedge }
spec:
  controller: novaedge.io/ingress-controller
  parameters:
    { apiGroup: novaedge.io, kind: GatewayParameters, scope: Namespace, namespace: default, name: pool }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: default }
spec:
  ingressClassName: novaedge
  defaultBackend: { service: { name: web, port: { number: 80 } } }
`;

withApiServer(
  "bug: a class of Ingresses got another address when all controllers had restarted",
  async (api) => {
    const client = api.client();
    await install(client, [...ownCrds(), ...await gatewayCrds("v1.7.0", "standard")]);
    const folder = await Deno.makeTempDir({ prefix: "novaedge-class-" });
    const gateway = "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/first";
    const ingress = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web";
    const controller = startController(api, join(folder, "one"));
    await controller.line(/this controller serves agents/);
    await apply(client, POOL);
    const taken = await address(client, gateway);
    await apply(client, INGRESS);
    const before = await address(client, ingress);
    assert.notEqual(before, taken);
    await client.request(gateway, { method: "DELETE" });
    await controller.end();
    // What the Gateway had is free now, and the first that would be given.
    await using next = startController(api, join(folder, "two"));
    await next.line(/this controller serves agents/);
    await apply(client, POOL);
    assert.equal(await address(client, gateway), taken);
    assert.equal(await address(client, ingress), before);
    await next.end();
    client.close();
    await Deno.remove(folder, { recursive: true });
  },
);

withApiServer(
  "one of two controllers leads; one that slept beyond its lease changes nothing that lasts",
  async (api) => {
    const client = api.client();
    await install(client, [...ownCrds(), ...await gatewayCrds("v1.7.0", "standard")]);
    const folder = await Deno.makeTempDir({ prefix: "novaedge-leader-" });
    await using first = startController(api, join(folder, "first"));
    await first.line(/this controller serves agents/);
    await using second = startController(api, join(folder, "second"));
    await second.line(/controller started/);
    assert.equal(await term(client), 1);
    await apply(client, CLASS);
    await classStatus(client);

    // The first sleeps; the second takes over when its lease has run out, and writes statuses.
    Deno.kill(first.process.pid, "SIGSTOP");
    await second.line(/this controller leads/);
    assert.equal(await term(client), 2);
    await apply(client, CLASS.replace("spec: {", "spec: { description: later,"));
    const written = await classStatus(client);
    const { mark } = first;
    Deno.kill(first.process.pid, "SIGCONT");
    await first.line(/this controller no longer leads/, mark);
    await second.line(/this controller serves agents/);
    assert.equal(await classStatus(client), written);
    assert.equal(await term(client), 2, "the lease is the second's still");

    // Who goes gives it back, and the other one has it within moments.
    const gone = second.end();
    await first.line(/this controller serves agents/, mark);
    await gone;
    assert.equal(await term(client), 3);
    await first.end();
    client.close();
    await Deno.remove(folder, { recursive: true });
  },
);
