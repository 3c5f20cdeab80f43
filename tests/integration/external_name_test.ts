import assert from "node:assert/strict";
import { textBackend } from "../support/backends.ts";
import { ingress, IngressSite } from "../support/ingress_site.ts";
import { documents, Edge, gateway, route } from "../support/edge.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

function externalName(name: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { type: ExternalName, externalName: LocalHost., ports: [{ port: 80, targetPort: ${port} }] }
`;
}

const BACKEND = `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: outside }
spec: { serviceRef: { name: outside, port: 80 } }
`;

Deno.test("a Service of type ExternalName is served within the networks of the flag", async (t) => {
  await using outside = textBackend("outside");
  await using site = await IngressSite.start();
  const port = freePort();
  const files = {
    "site.yaml": site.manifests,
    "edge.yaml": documents(
      gateway("edge", port),
      route("all", "outside"),
      BACKEND,
      externalName("outside", outside.port),
      ingress({ annotations: {}, host: "outside.example.com", service: "outside" }),
    ),
  };
  const start = (networks: string) =>
    Edge.start(files, { controllerArgs: ["--external-name-networks", networks], workers: 1 });
  await t.step("a name that leads there", async () => {
    await using _ = await start("127.0.0.0/8,::1");
    assert.equal((await get(port)).body, "outside");
    const host = "outside.example.com";
    assert.equal((await get(site.http, "/", { host })).body, "outside");
  });
  await t.step("a name that leads elsewhere, checked after DNS", async () => {
    await using edge = await start("192.0.2.0/24");
    assert.equal((await get(port)).status, 502);
    await edge.dataplane.line(/no address of the name is in the networks that ExternalName may/);
  });
  await t.step("without the flag", async () => {
    await using edge = await start("");
    assert.equal((await get(port)).status, 503);
    const { objects } = await edge.json("/config");
    const { conditions } = objects.find(({ kind, name }: Record<string, string>) =>
      kind === "ProxyBackend" && name === "outside"
    );
    const against = conditions.find(({ type }: { type: string }) => type === "ResolvedRefs");
    assert.match(
      against.message,
      /default\/outside: .* --external-name-networks of the controller/,
    );
  });
});
