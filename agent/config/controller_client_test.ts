import {
  type handleBidiStreamingCall,
  Server,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { bindServer } from "../../common/grpc.ts";
import { createLogger } from "../../common/log.ts";
import {
  type AgentMessage,
  ConfigDistributionClient,
  ConfigDistributionService,
  Delta,
  Hello,
  NodeStatus,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import { freePort } from "../../tests/support/programs.ts";
import { ControllerClient } from "./controller_client.ts";

/** A controller that gives every agent an empty delta and keeps what it says. */
async function controller(address: string) {
  const server = new Server();
  const words: AgentMessage["message"][] = [];
  let heard = () => {};
  const streamConfig: handleBidiStreamingCall<AgentMessage, Delta> = (call) => {
    call.on("error", () => {});
    call.on("end", () => call.end());
    call.on("data", ({ message }: AgentMessage) => {
      words.push(message);
      if (message?.$case === "hello") call.write(Delta.create());
      heard();
    });
  };
  server.addService(
    ConfigDistributionService,
    { streamConfig } as unknown as UntypedServiceImplementation,
  );
  await bindServer(server, address);
  return {
    words,
    /** Resolves with the next word. */
    next: () => new Promise<void>((resolve) => heard = resolve),
    stop: () => server.forceShutdown(),
  };
}

Deno.test("bug: what ends late of a connection that came to nothing leaves the next one alone", async () => {
  const { waitForReady } = ConfigDistributionClient.prototype;
  // The library may say that there was no connection long after a stream has ended for another reason.
  const late: ((error: Error) => void)[] = [];
  ConfigDistributionClient.prototype.waitForReady = (_: unknown, callback: typeof late[0]) =>
    void late.push(callback);
  const address = `127.0.0.1:${freePort()}`;
  const ended = new AbortController();
  const log = createLogger("test", "silent");
  const failed = new Promise<void>((resolve) => log.warn = () => resolve());
  let connected = () => {};
  const connection = new Promise<void>((resolve) => connected = resolve);
  let lost = false;
  const client = new ControllerClient({
    address,
    identity: null,
    log,
    hello: () => Hello.create({ node: "n1" }),
    onDelta() {},
    onConnection: (is) => is ? connected() : lost = true,
  });
  const run = client.run(ended.signal);
  // Nobody is there yet.
  await failed;
  const server = await controller(address);
  await connection;
  late[0](new Error("Failed to connect before the deadline"));
  assert.ok(client.connected);
  assert.ok(!lost);
  const heard = server.next();
  client.send({ $case: "status", value: NodeStatus.create() });
  await heard;
  ended.abort();
  await run;
  server.stop();
  ConfigDistributionClient.prototype.waitForReady = waitForReady;
});
