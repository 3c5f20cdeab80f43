import assert from "node:assert/strict";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

const GUARD = `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: guard }
spec:
  targetRef: { kind: ProxyRoute, name: shop }
  type: IPAllowList
  ipList: { cidrs: [127.0.0.0/8] }
`;
/** A policy of which no target can be told. */
const UNTOLD = GUARD.replace("name: shop }", "name: *x }");
const WITHHELD = /the target of this ProxyPolicy cannot be told/;

/** Asks on while `busy` is not settled; returns what was answered, "none" where nothing listens. */
async function answersDuring(
  port: number,
  host: string,
  busy: Promise<unknown>,
): Promise<unknown[]> {
  const answers = new Set<unknown>();
  let over = false;
  const end = () => over = true;
  busy.then(end, end);
  do {
    answers.add(await get(port, "/", { host }).then(({ status }) => status, () => "none"));
  } while (!over);
  await busy;
  return [...answers];
}

Deno.test("beside a policy whose target cannot be told nothing is served, until it is corrected", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  await using edge = await Edge.prepare({
    "all.yaml": documents(gateway("edge", port), backend("blue", blue.port), route("shop", "blue")),
    "guard.yaml": UNTOLD,
  });
  edge.startDataplane();
  const controller = edge.startController();
  const agent = edge.startAgent();
  const waiting = Promise.all([
    controller.line(WITHHELD),
    controller.line(/guard\.yaml:\d+: the alias has no anchor before it/),
    agent.line(/"connected to the dataplane"/),
  ]);
  assert.deepEqual(await answersDuring(port, "test.example.com", waiting), ["none"]);
  await edge.write("guard.yaml", GUARD);
  await edge.served();
  assert.equal((await get(port)).body, "blue");
});

Deno.test("beside a new policy whose target cannot be told no new route is served, and others go on", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  const shop = { host: "shop.example.com" };
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      backend("blue", blue.port),
      route("old", "blue", { host: "old.example.com" }),
    ),
  });
  await edge.change("guard.yaml", UNTOLD);
  const { errors } = await edge.json("/config");
  assert.deepEqual(errors.map(({ line }: { line: number }) => line), [5, 5]);
  assert.match(errors[1].reason, WITHHELD);
  const mark = edge.controller.mark;
  await edge.write("shop.yaml", route("shop", "blue", shop));
  const translated = edge.controller.line(/"translated"/, mark);
  assert.deepEqual(await answersDuring(port, shop.host, translated), [404]);
  assert.equal((await get(port, "/", shop)).status, 404);
  assert.equal((await get(port, "/", { host: "old.example.com" })).body, "blue");
  // The target can be told now, the rest not: the policy closes it.
  await edge.change("guard.yaml", GUARD.replace("[127.0.0.0/8]", "[*x]"));
  const closed = await get(port, "/", shop);
  assert.deepEqual([closed.status, closed.body], [500, "500 policy_closed\n"]);
  await edge.change("guard.yaml", GUARD);
  assert.equal((await get(port, "/", shop)).body, "blue");
  assert.deepEqual((await edge.json("/config")).errors, []);
});
