/** The controller with a real API server as its source. */
import assert from "node:assert/strict";
import type { TLSSocket } from "node:tls";
import { Authority, secret } from "../support/authority.ts";
import { textBackend } from "../support/backends.ts";
import { Edge } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import type { ApiClient } from "../../controller/source/kubernetes/api_client.ts";
import { objectPath } from "../../controller/source/kubernetes/paths.ts";
import { gatewayCrds, install, ownCrds } from "./crds.ts";
import { apply, remove } from "./objects.ts";
import { withApiServer } from "./tools.ts";

const CLASS = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: novaedge }
spec:
  controllerName: novaedge.io/gateway-controller
  parametersRef: { group: novaedge.io, kind: GatewayParameters, name: edge, namespace: default }
---
apiVersion: novaedge.io/v1alpha1
kind: GatewayParameters
metadata: { name: edge, namespace: default }
spec: { addressPools: [127.0.0.0/24] }
`;

function gateway(plain: number, secure: number, certificate: string): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  gatewayClassName: novaedge
  addresses: [{ value: 127.0.0.1 }]
  listeners:
    - { name: http, port: ${plain}, protocol: HTTP }
    - name: https
      port: ${secure}
      protocol: HTTPS
      tls: { certificateRefs: [{ name: ${certificate} }] }
`;
}

function backend(name: string, port: number): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name}, namespace: default }
spec: { endpoints: [{ address: 127.0.0.1, port: ${port} }] }
`;
}

function route(to: string): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web, namespace: default }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ group: novaedge.io, kind: ProxyBackend, name: ${to} }] }]
`;
}

/** The certificate that a port shows. */
async function shown(port: number): Promise<string> {
  const { socket } = await HttpConnection.open(port, { tls: {} });
  const { fingerprint256 } = (socket as TLSSocket).getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

const GATEWAY = { kind: "Gateway", namespace: "default", name: "edge" } as const;
const FOREIGN = "example.com/Seen";

interface Conditioned {
  readonly conditions: readonly { type: string; message: string; observedGeneration: number }[];
}

/** Writes a condition of another controller to the Gateway and to its first listener. */
async function addForeignCondition(client: ApiClient): Promise<void> {
  const of = (message: string) => ({
    ...{ type: FOREIGN, status: "True", reason: "Seen", message, observedGeneration: 1 },
    lastTransitionTime: "2030-01-01T00:00:00Z",
  });
  const body = ["/status/conditions/-", "/status/listeners/0/conditions/-"].map((path, index) => ({
    ...{ op: "add", path, value: of(index === 0 ? "the Gateway" : "a listener") },
  }));
  await client.request(`${objectPath(GATEWAY)}/status`, {
    ...{ method: "PATCH", contentType: "application/json-patch+json", body },
  });
}

/** The messages of foreign conditions, once our own are of the newest generation. */
async function conditionsOnceWritten(client: ApiClient) {
  for (;;) {
    const { metadata, status } = await client.request(objectPath(GATEWAY), {});
    const generation = Number(metadata.generation);
    const { conditions, listeners } = status as Conditioned & { listeners: Conditioned[] };
    const written = conditions.find(({ type }) => type === "Accepted")!.observedGeneration;
    if (generation > 1 && written === generation) {
      const all = [conditions, ...listeners.map((listener) => listener.conditions)].flat();
      const foreign = all.filter(({ type }) => type === FOREIGN).map(({ message }) => message);
      return { foreign, generation };
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Asks until the answer is as expected; a test that waits too long fails by the suite's limit. */
async function until(port: number, body: string): Promise<void> {
  for (;;) {
    const answer = await get(port).catch(() => null);
    if (answer?.body === body) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

withApiServer(
  "objects of a cluster are served, and its changes, through outages of the API server",
  async (api) => {
    const client = api.client();
    await install(client, ownCrds());
    const authority = await Authority.create();
    const first = await authority.issue({ name: "first", dns: ["a.example.com"] });
    const second = await authority.issue({ name: "second", dns: ["a.example.com"] });
    await using blue = textBackend("blue");
    await using green = textBackend("green");
    const [plain, secure] = [freePort(), freePort()];
    await apply(client, secret("first", first));
    await apply(client, secret("second", second));
    await apply(client, secret("nobodys", second));
    await apply(client, backend("blue", blue.port));
    await apply(client, backend("green", green.port));

    const edge = await Edge.prepare({}, { sourceArgs: ["--kubeconfig", api.kubeconfig] });
    await using _ = edge;
    edge.startDataplane();
    edge.startController();
    edge.startAgent();
    // The definitions of the Gateway API come later than the controller.
    await edge.controller.line(
      /the cluster does not know this kind.*Gateway|Gateway.*the cluster does not know/,
    );
    await install(client, await gatewayCrds("v1.7.0", "standard"));
    await apply(
      client,
      CLASS + "---\n" + gateway(plain, secure, "first") + "---\n" + route("blue"),
    );
    await until(plain, "blue");
    const connection = await HttpConnection.open(secure, { tls: {} });
    assert.equal((await connection.request("GET", "/")).body, "blue");
    connection.close();

    await apply(client, route("green"));
    await until(plain, "green");

    // Another certificate: the port is served all the time.
    await addForeignCondition(client);
    const before = await shown(secure);
    await apply(client, gateway(plain, secure, "second"));
    while (await shown(secure) === before) await new Promise((resolve) => setTimeout(resolve, 5));
    const { foreign, generation } = await conditionsOnceWritten(client);
    assert.deepEqual(foreign, ["the Gateway", "a listener"], `kept at generation ${generation}`);
    const { objects } = await edge.json("/config");
    assert.ok(objects.every((o: { name: string }) => o.name !== "nobodys"), "nobody refers to it");

    // Traffic goes on without the API server, and what changed meanwhile comes when it is back.
    const { mark } = edge.controller;
    await api.server.end("SIGKILL");
    assert.equal((await get(plain)).body, "green");
    await api.startServer();
    await apply(client, route("blue"));
    await until(plain, "blue");
    assert.ok(
      !edge.controller.lines.slice(mark).some((line) => line.includes("translation failed")),
    );

    await remove(client, route("blue"));
    for (;;) {
      if ((await get(plain)).status === 404) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    client.close();
  },
);
