import {
  type handleBidiStreamingCall,
  Server,
  ServerCredentials,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { bindServer } from "../../common/grpc.ts";
import { createLogger } from "../../common/log.ts";
import {
  type AgentMessage,
  ConfigDistributionService,
  Delta,
  Hello,
  NodeStatus,
} from "../../proto/gen/novaedge/v1/distribution.ts";
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
  await bindServer(server, address, ServerCredentials.createInsecure());
  return {
    words,
    /** Resolves with the next word. */
    next: () => new Promise<void>((resolve) => heard = resolve),
    stop: () => server.forceShutdown(),
  };
}

Deno.test("bug: a connection that came to nothing does not silence the one after it", async () => {
  const folder = await Deno.makeTempDir();
  const address = `unix:${folder}/s`;
  const ended = new AbortController();
  let connected = () => {};
  const connection = new Promise<void>((resolve) => connected = resolve);
  let lost = false;
  const log = createLogger("test", "silent");
  const failed = new Promise<void>((resolve) => log.warn = () => resolve());
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
  const start = performance.now();
  const server = await controller(address);
  await connection;
  // By then the first connection's time is over.
  while (performance.now() - start < 3_500) {
    const next = server.next();
    client.send({ $case: "status", value: NodeStatus.create() });
    await next;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(!lost);
  assert.ok(client.connected);
  ended.abort();
  await run;
  server.stop();
  await Deno.remove(folder, { recursive: true });
});
