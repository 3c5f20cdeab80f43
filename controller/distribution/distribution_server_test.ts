import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { LEADER, UNREACHABLE } from "../../common/grpc.ts";
import { createLogger } from "../../common/log.ts";
import {
  ConfigDistributionClient,
  type Delta,
  type Hello,
  NodeStatus,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import { SnapshotManager } from "../snapshot/snapshot_manager.ts";
import { type Admission, DistributionServer } from "./distribution_server.ts";

const TERM = 3;

class Scene implements AsyncDisposable {
  readonly snapshot = new SnapshotManager(TERM);
  readonly server: DistributionServer;
  leads = true;
  leaderAddress = "192.0.2.1:9090";
  admit: ((token: string) => Promise<Admission>) | null = null;
  readonly #folder = Deno.makeTempDirSync();
  readonly #clients: ConfigDistributionClient[] = [];

  constructor(authenticated = false, review?: { interval: number; silence: number }) {
    this.server = new DistributionServer({
      snapshot: this.snapshot,
      log: createLogger("test", "silent"),
      scopes: null,
      admit: authenticated ? (token) => this.admit!(token) : null,
      leads: () => this.leads,
      leaderAddress: () => this.leaderAddress,
      mayWait: (unreachable) => unreachable === this.leaderAddress,
      onRefusals() {},
      onWord() {},
      onLeft() {},
      onHello() {},
      ...(review === undefined ? {} : { review }),
    });
  }

  async start(): Promise<this> {
    await this.server.listen(`unix:${this.#folder}/s`);
    this.server.publish();
    return this;
  }

  /** The first delta of an agent's stream, or the error that ends it. */
  connect(
    hello: Partial<Hello>,
    token = "",
    unreachable = "",
  ): { first: Promise<Delta>; end: Promise<ServiceError>; say: () => void } {
    const client = new ConfigDistributionClient(
      `unix:${this.#folder}/s`,
      credentials.createInsecure(),
    );
    this.#clients.push(client);
    const metadata = new Metadata();
    if (token !== "") metadata.set("authorization", `Bearer ${token}`);
    if (unreachable !== "") metadata.set(UNREACHABLE, unreachable);
    const call = client.streamConfig(metadata);
    const end = new Promise<ServiceError>((resolve) => call.on("error", resolve));
    const first = new Promise<Delta>((resolve, reject) => {
      call.on("data", resolve);
      call.on("error", reject);
    });
    first.catch(() => {});
    const value = {
      node: "n1",
      softwareVersion: "",
      held: undefined,
      resources: [],
      addresses: [],
      ...hello,
    };
    call.write({ message: { $case: "hello", value } });
    const say = () => call.write({ message: { $case: "status", value: NodeStatus.create() } });
    return { first, end, say };
  }

  async [Symbol.asyncDispose]() {
    for (const client of this.#clients) client.close();
    this.server.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test("bug: an agent that holds a newer number of our term is served, by a term above it", async () => {
  await using scene = await new Scene().start();
  const { first } = scene.connect({ held: { term: TERM, number: 500 } });
  assert.deepEqual((await first).version, { term: TERM + 1, number: 0 });
});

Deno.test("a controller that does not lead sends agents to the one that does", async () => {
  await using scene = new Scene();
  scene.leads = false;
  await scene.start();
  const error = await scene.connect({}).end;
  assert.equal(error.details, "this controller does not lead; 192.0.2.1:9090 does");
  assert.deepEqual(error.metadata.get(LEADER), ["192.0.2.1:9090"]);
});

Deno.test("an agent that could not reach the leader waits, and is served by who leads next", async () => {
  await using scene = new Scene(false, { interval: 1e6, silence: 1e6 });
  scene.leads = false;
  await scene.start();
  const { first } = scene.connect({ node: "n1" }, "", "192.0.2.1:9090");
  // Another agent's refusal comes after what was asked before it.
  await scene.connect({ node: "n2" }).end;
  assert.deepEqual(
    scene.server.sessions(),
    [],
    "nobody is served by a controller that does not lead",
  );
  scene.leads = true;
  scene.server.publish();
  await first;
  assert.deepEqual(scene.server.sessions().map(({ node }) => node), ["n1"]);
});

Deno.test("an agent that waits goes where the next leader is", async () => {
  await using scene = new Scene(false, { interval: 1e6, silence: 1e6 });
  scene.leads = false;
  await scene.start();
  const { end } = scene.connect({ node: "n1" }, "", "192.0.2.1:9090");
  await scene.connect({ node: "n2" }).end;
  scene.leaderAddress = "192.0.2.2:9090";
  scene.server.onLeader();
  assert.deepEqual((await end).metadata.get(LEADER), ["192.0.2.2:9090"]);
});

Deno.test("an agent that waits is sent to the leader again now and then: it may be back", async () => {
  await using scene = new Scene(false, { interval: 50, silence: 1e6 });
  scene.leads = false;
  await scene.start();
  const { end } = scene.connect({}, "", "192.0.2.1:9090");
  assert.deepEqual((await end).metadata.get(LEADER), ["192.0.2.1:9090"]);
});

Deno.test("a controller that no longer leads ends its streams", async () => {
  await using scene = await new Scene().start();
  const { first, end } = scene.connect({});
  await first;
  scene.leads = false;
  scene.server.dismiss();
  assert.match((await end).details, /does not lead/);
  assert.deepEqual(scene.server.sessions(), []);
});

Deno.test("nobody is served without a token, by a bad one, or by one of another node", async () => {
  await using scene = await new Scene(true).start();
  scene.admit = (token) =>
    token === "good"
      ? Promise.resolve({ node: "n1", expires: Date.now() + 60_000 })
      : Promise.reject(new Error("the token is not valid"));
  const details = async (node: string, token: string) =>
    (await scene.connect({ node }, token).end).details;
  assert.equal(await details("n1", ""), "there is no token");
  assert.equal(await details("n1", "bad"), "the token is not valid");
  assert.equal(await details("n2", "good"), "the token is of a pod on node n1");
  assert.deepEqual(scene.server.sessions(), []);
  await scene.connect({ node: "n1" }, "good").first;
  assert.deepEqual(scene.server.sessions().map(({ node }) => node), ["n1"]);
});

Deno.test("an agent that comes again takes its old stream's place", async () => {
  await using scene = await new Scene().start();
  const old = scene.connect({});
  await old.first;
  await scene.connect({}).first;
  assert.equal((await old.end).details, "came again");
  assert.equal(scene.server.sessions().length, 1);
});

Deno.test("an agent that says nothing is told to come again, one that does stays", async () => {
  await using scene = await new Scene(false, { interval: 50, silence: 250 }).start();
  const silent = scene.connect({ node: "n1" });
  const other = scene.connect({ node: "n2" });
  let ended = false;
  void other.end.then(() => ended = true);
  const talk = setInterval(other.say, 20);
  const { code, details } = await silent.end;
  assert.deepEqual([code, details], [10, "nothing was heard"]);
  assert.ok(!ended);
  clearInterval(talk);
});
