/** Who is served by a controller that asks a real API server whose a token is. */
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrivateKey, createSign } from "node:crypto";
import type { ApiClient } from "../../controller/source/kubernetes/api_client.ts";
import {
  ConfigDistributionClient,
  type Delta,
  NodeStatus,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import { freePort, startProgram } from "../support/programs.ts";
import type { ApiServer } from "./api_server.ts";
import { gatewayCrds, install, ownCrds } from "./crds.ts";
import { eventually } from "./eventually.ts";
import { withApiServer } from "./tools.ts";

const CORE = "/api/v1/namespaces/default";
const AUDIENCE = "novaedge-controller";

function create(client: ApiClient, path: string, body: object) {
  return client.request(path, { method: "POST", body: { apiVersion: "v1", ...body } });
}

async function pod(
  client: ApiClient,
  name: string,
  node: string,
  account: string,
): Promise<string> {
  const spec = {
    nodeName: node,
    serviceAccountName: account,
    containers: [{ name: "c", image: "i" }],
  };
  const made = await create(client, `${CORE}/pods`, { kind: "Pod", metadata: { name }, spec });
  return String(made.metadata.uid);
}

async function token(
  client: ApiClient,
  account: string,
  pod: { name: string; uid: string },
  audiences: string[] = [AUDIENCE],
): Promise<string> {
  const answer = await client.request<{ status: { token: string } }>(
    `${CORE}/serviceaccounts/${account}/token`,
    {
      method: "POST",
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { audiences, boundObjectRef: { apiVersion: "v1", kind: "Pod", ...pod } },
      },
    },
  );
  return answer.status.token;
}

/** The same token, as it was an hour before it ended and is now over; signed by the cluster's own key. */
function expired(api: ApiServer, token: string): string {
  const [head, body] = token.split(".");
  const claims = JSON.parse(Buffer.from(body, "base64url").toString());
  const then = Math.floor(Date.now() / 1_000) - 7_200;
  const changed = { ...claims, iat: then, nbf: then, exp: then + 3_600 };
  const text = `${head}.${Buffer.from(JSON.stringify(changed)).toString("base64url")}`;
  const key = { key: createPrivateKey(api.accountKey), dsaEncoding: "ieee-p1363" as const };
  return `${text}.${createSign("sha256").update(text).sign(key).toString("base64url")}`;
}

interface Stream {
  /** "served", or why not. */
  readonly said: Promise<string>;
  readonly end: Promise<ServiceError>;
}

withApiServer(
  "agents are served by a token of theirs, on their node, and by no other",
  async (api) => {
    const client = api.client();
    await install(client, [...ownCrds(), ...await gatewayCrds("v1.7.0", "standard")]);
    for (const name of ["n1", "n2"]) {
      await create(client, "/api/v1/nodes", { kind: "Node", metadata: { name } });
    }
    for (const name of ["novaedge-agent", "other"]) {
      await create(client, `${CORE}/serviceaccounts`, {
        kind: "ServiceAccount",
        metadata: { name },
      });
    }
    const own = { name: "own", uid: await pod(client, "own", "n1", "novaedge-agent") };
    const others = { name: "others", uid: await pod(client, "others", "n1", "other") };
    const far = { name: "far", uid: await pod(client, "far", "n2", "novaedge-agent") };
    const port = freePort();
    const folder = await Deno.makeTempDir({ prefix: "novaedge-identity-" });
    await using controller = startProgram("controller", [
      `--kubeconfig=${api.kubeconfig}`,
      "--namespace=default",
      "--agent-auth=token",
      `--grpc-port=${port}`,
      `--state-dir=${folder}`,
      `--health-port=${freePort()}`,
      "--metrics-port=0",
    ]);
    await controller.line(/controller started/);
    const bundle = await client.request(`${CORE}/configmaps/novaedge-authority`);
    const authorities = Buffer.from((bundle.data as Record<string, string>)["ca.crt"]);
    const channels: ConfigDistributionClient[] = [];
    const lives: ReturnType<typeof setInterval>[] = [];
    const connect = (node: string, token: string): Stream => {
      const channel = new ConfigDistributionClient(
        `127.0.0.1:${port}`,
        credentials.createSsl(authorities),
        {
          "grpc.ssl_target_name_override": "novaedge-controller",
          "grpc.default_authority": "novaedge-controller",
          "grpc.use_local_subchannel_pool": 1,
        },
      );
      channels.push(channel);
      const metadata = new Metadata();
      if (token !== "") metadata.set("authorization", `Bearer ${token}`);
      const call = channel.streamConfig(metadata);
      const end = new Promise<ServiceError>((resolve) => call.on("error", resolve));
      const served = new Promise<Delta>((resolve) => call.on("data", resolve));
      const value = { node, softwareVersion: "", held: undefined, resources: [], addresses: [] };
      call.write({ message: { $case: "hello", value } });
      // Who says nothing for a while is told to come again.
      const alive = setInterval(
        () => call.write({ message: { $case: "status", value: NodeStatus.create() } }),
        3_000,
      );
      void end.then(() => clearInterval(alive));
      lives.push(alive);
      const said = Promise.race([served.then(() => "served"), end.then(({ details }) => details)]);
      return { said, end };
    };
    const good = await token(client, "novaedge-agent", own);
    await eventually("the first stream", async () => await connect("n1", good).said === "served");
    assert.equal(await connect("n1", "").said, "there is no token");
    assert.equal(await connect("n1", "not a token").said, "the token is not valid");
    assert.equal(await connect("n1", `${good}x`).said, "the token is not valid");
    assert.equal(
      await connect("n1", await token(client, "other", others)).said,
      "the token is that of system:serviceaccount:default:other",
    );
    assert.equal(
      await connect("n1", await token(client, "novaedge-agent", far)).said,
      "the token is of a pod on node n2",
    );
    const wide = await token(client, "novaedge-agent", own, ["https://kubernetes.default.svc"]);
    assert.equal(await connect("n1", wide).said, "the token is not valid");
    assert.equal(await connect("n1", expired(api, good)).said, "the token is not valid");

    const open = connect("n1", good);
    assert.equal(await open.said, "served");
    await client.request(`${CORE}/pods/own`, {
      method: "DELETE",
      query: { gracePeriodSeconds: "0" },
    });
    assert.equal((await open.end).details, "the token is not valid");
    assert.equal(await connect("n1", good).said, "the token is not valid");
    for (const alive of lives) clearInterval(alive);
    for (const channel of channels) channel.close();
    client.close();
    await controller.end();
    await Deno.remove(folder, { recursive: true });
  },
);
