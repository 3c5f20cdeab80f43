/** The rules that deploy/kubernetes grants suffice, and each of them is needed. */
import { credentials, Metadata } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { bundleOf, createAuthority } from "../../controller/identity/authority.ts";
import { type ApiClient, ApiError } from "../../controller/source/kubernetes/api_client.ts";
import { ConfigDistributionClient } from "../../proto/gen/novaedge/v1/distribution.ts";
import { Authority, secret } from "../support/authority.ts";
import { freePort, type Program, startProgram } from "../support/programs.ts";
import type { ApiServer } from "./api_server.ts";
import { gatewayCrds, install, ownCrds } from "./crds.ts";
import { eventually } from "./eventually.ts";
import { apply } from "./objects.ts";
import { withApiServer } from "./tools.ts";

const RBAC = join(import.meta.dirname!, "../../deploy/kubernetes/rbac.yaml");
const SYSTEM = "novaedge-system";
const DAY = 86_400_000;
const EVENTS = "/api/v1/namespaces/default/events";

interface Rule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
}

interface Event {
  readonly reason: string;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}

const PLURALS: Readonly<Record<string, string>> = {
  ServiceAccount: "serviceaccounts",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Role: "roles",
  RoleBinding: "rolebindings",
};

function pathOf({ apiVersion, kind, metadata: { namespace } }: Document): string {
  const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
  const place = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${root}${place}/${PLURALS[kind]}`;
}

async function put(client: ApiClient, all: string, object: { metadata: { name: string } }) {
  const { name } = object.metadata;
  await client.request(`${all}/${name}`, { method: "PUT", body: object }).catch(async (error) => {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    await client.request(all, { method: "POST", body: object });
  });
}

async function remove(client: ApiClient, path: string): Promise<void> {
  await client.request(path, { method: "DELETE" }).catch((error) => {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
  });
}

/** Objects of every kind whose status is written, and a Secret that is read. */
async function objects(): Promise<string> {
  const pair = await (await Authority.create()).issue({ name: "x", dns: ["a.example.com"] });
  return [
    `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: novaedge }
spec: { controllerName: novaedge.io/gateway-controller }
`,
    secret("site", pair),
    `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  gatewayClassName: novaedge
  listeners:
    - { name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: site }] } }
`,
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: web, namespace: default }
spec: { endpoints: [{ address: 192.0.2.1, port: 80 }] }
`,
    `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: novaedge }
spec:
  controller: novaedge.io/ingress-controller
  parameters:
    { apiGroup: novaedge.io, kind: GatewayParameters, scope: Namespace, namespace: default, name: edge }
`,
    `apiVersion: novaedge.io/v1alpha1
kind: GatewayParameters
metadata: { name: edge, namespace: default }
spec: { addressPools: [192.0.2.8/29] }
`,
    `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: default }
spec:
  ingressClassName: novaedge
  defaultBackend: { service: { name: missing, port: { number: 80 } } }
`,
  ].join("---\n");
}

/** Makes what the controller finds when it starts, and tells whom to trust: an authority that is to be rotated, and no bundle. */
async function reset(client: ApiClient): Promise<string> {
  const old = await createAuthority(Date.now() - 250 * DAY);
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  await put(client, `/api/v1/namespaces/${SYSTEM}/secrets`, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "novaedge-authority", namespace: SYSTEM },
    data: { "ca.crt": base64(old.certificate), "ca.key": base64(old.key) },
  } as { metadata: { name: string } });
  await remove(client, `/api/v1/namespaces/${SYSTEM}/configmaps/novaedge-authority`);
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases/novaedge-controller`;
  await remove(client, lease);
  await client.request(EVENTS, { method: "DELETE" });
  const gateways = "/apis/gateway.networking.k8s.io/v1";
  const own = "/apis/novaedge.io/v1alpha1/namespaces/default/proxybackends/web";
  const ingress = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web";
  for (const path of [`${gateways}/gatewayclasses/novaedge`, own, ingress]) {
    await client.request(`${path}/status`, {
      method: "PATCH",
      contentType: "application/merge-patch+json",
      body: { status: null },
    });
  }
  return old.certificate;
}

async function kubeconfig(api: ApiServer, client: ApiClient, folder: string): Promise<string> {
  const answer = await client.request<{ status: { token: string } }>(
    `/api/v1/namespaces/${SYSTEM}/serviceaccounts/novaedge-controller/token`,
    {
      method: "POST",
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    },
  );
  const { clusters } = JSON.parse(Deno.readTextFileSync(api.kubeconfig));
  const [{ cluster }] = clusters;
  const ca = join(api.kubeconfig, "..", cluster["certificate-authority"]);
  const path = join(folder, "kubeconfig");
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      clusters: [{ name: "c", cluster: { ...cluster, "certificate-authority": ca } }],
      users: [{ name: "u", user: { token: answer.status.token } }],
      contexts: [{ name: "d", context: { cluster: "c", user: "u" } }],
      "current-context": "d",
    }),
  );
  return path;
}

/** Shows a token, whosever it is: the controller has to ask. */
function knock(port: number, authorities: string): () => void {
  const channel = new ConfigDistributionClient(
    `127.0.0.1:${port}`,
    credentials.createSsl(Buffer.from(authorities)),
    {
      "grpc.ssl_target_name_override": "novaedge-controller",
      "grpc.default_authority": "novaedge-controller",
      "grpc.use_local_subchannel_pool": 1,
    },
  );
  const metadata = new Metadata();
  metadata.set("authorization", "Bearer nonsense");
  const call = channel.streamConfig(metadata);
  call.on("error", () => {});
  const value = { node: "n", softwareVersion: "", held: undefined, resources: [], addresses: [] };
  call.write({ message: { $case: "hello", value } });
  return () => channel.close();
}

withApiServer(
  "the controller's rules suffice, and without any of them it says what it lacks",
  async (api) => {
    const client = api.client();
    await install(client, [...ownCrds(), ...await gatewayCrds("v1.7.0", "standard")]);
    const folder = await Deno.makeTempDir({ prefix: "novaedge-rbac-" });
    await client.request("/api/v1/namespaces", {
      method: "POST",
      body: { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM } },
    });
    const documents = parseAllDocuments(Deno.readTextFileSync(RBAC)).map((document) =>
      document.toJS() as Document
    );
    for (const document of documents) await put(client, pathOf(document), document);
    await apply(client, await objects());
    const config = await kubeconfig(api, client, folder);

    /** Runs a controller until it has said that it lacks something, or done everything. */
    const complains = async (): Promise<string> => {
      const authorities = await reset(client);
      const port = freePort();
      const started: Program = startProgram("controller", [
        `--kubeconfig=${config}`,
        "--leader-election",
        "--agent-auth=token",
        `--namespace=${SYSTEM}`,
        `--grpc-port=${port}`,
        `--state-dir=${folder}/state`,
        `--health-port=${freePort()}`,
        "--metrics-port=0",
      ]);
      await using controller = started;
      let close: (() => void) | null = null;
      let found = "";
      await eventually("the controller to work, or to say what it lacks", async () => {
        found = controller.lines.find((line) => /forbidden/.test(line)) ?? "";
        if (found !== "") return true;
        const serves = controller.lines.some((line) => line.includes("serves agents"));
        const refused = controller.lines.some((line) => line.includes("refused an agent"));
        if (serves) close ??= knock(port, authorities);
        return refused && await done(client);
      }).catch((error) => {
        throw new Error(`${error.message}:\n${controller.lines.slice(-20).join("\n")}`);
      });
      (close as (() => void) | null)?.();
      return found;
    };
    assert.equal(await complains(), "");
    for (const document of documents) {
      for (const [index, rule] of (document.rules ?? []).entries()) {
        const rules = document.rules!.filter((_, other) => other !== index);
        await put(client, pathOf(document), { ...document, rules } as Document);
        const label = `${document.kind}: ${rule.verbs} of ${rule.resources} ${
          rule.resourceNames ?? ""
        }`;
        assert.notEqual(await complains(), "", `nobody misses ${label}`);
        await put(client, pathOf(document), document);
      }
    }
    client.close();
    await Deno.remove(folder, { recursive: true });
  },
);

/** Whether everything that is due was done: statuses and an event written, authority rotated, bundle made. */
async function done(client: ApiClient): Promise<boolean> {
  const statuses = await Promise.all([
    "/apis/gateway.networking.k8s.io/v1/gatewayclasses/novaedge",
    "/apis/novaedge.io/v1alpha1/namespaces/default/proxybackends/web",
    "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web",
  ].map(async (path) => Object.keys((await client.request(path)).status ?? {}).length > 0));
  const kept = await client.request(`/api/v1/namespaces/${SYSTEM}/secrets/novaedge-authority`);
  const data = kept.data as Record<string, string>;
  const bundle = await client.request(`/api/v1/namespaces/${SYSTEM}/configmaps/novaedge-authority`)
    .catch(() => ({ data: {} }));
  const text = (name: string) => Buffer.from(data[name] ?? "", "base64").toString();
  const wanted = bundleOf({
    active: { certificate: text("ca.crt"), key: "" },
    next: { certificate: text("next.crt"), key: "" },
    previous: "",
  });
  const { items } = await client.request<{ items: Event[] }>(EVENTS);
  const told = items.some(({ reason, involvedObject: { kind, name } }) =>
    kind === "Ingress" && name === "web" && reason === "BackendNotFound"
  );
  return told && statuses.every((written) => written) && text("next.crt") !== "" &&
    (bundle.data as Record<string, string>)["ca.crt"] === wanted;
}
