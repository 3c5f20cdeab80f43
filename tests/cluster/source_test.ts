/** The controller with a real API server as its source. */
import assert from "node:assert/strict";
import type { TLSSocket } from "node:tls";
import { Authority, secret } from "../support/authority.ts";
import { textBackend } from "../support/backends.ts";
import { Edge } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
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
    const before = await shown(secure);
    await apply(client, gateway(plain, secure, "second"));
    while (await shown(secure) === before) await new Promise((resolve) => setTimeout(resolve, 5));
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
