import {
  type handleBidiStreamingCall,
  Metadata,
  Server,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { bindServer, LEADER, UNREACHABLE } from "../../common/grpc.ts";
import { createLogger } from "../../common/log.ts";
import {
  type AgentMessage,
  ConfigDistributionService,
  Delta,
  Hello,
  NodeStatus,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import { freePort } from "../../tests/support/programs.ts";
import { ControllerClient } from "./controller_client.ts";

/**
 * A controller that gives every agent an empty delta and keeps what it says. With a leader it sends agents there
 * until they say that it cannot be reached.
 */
async function controller(address: string, leader = "") {
  const server = new Server();
  const unreachable: string[] = [];
  const words: AgentMessage["message"][] = [];
  let heard = () => {};
  const streamConfig: handleBidiStreamingCall<AgentMessage, Delta> = (call) => {
    call.on("error", () => {});
    call.on("end", () => call.end());
    const lost = String(call.metadata.get(UNREACHABLE)[0] ?? "");
    unreachable.push(lost);
    if (leader !== lost) {
      const metadata = new Metadata();
      metadata.set(LEADER, leader);
      call.emit("error", { code: status.UNAVAILABLE, details: "does not lead", metadata });
      return;
    }
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
    unreachable,
    /** Resolves with the next word. */
    next: () => new Promise<void>((resolve) => heard = resolve),
    stop: () => server.forceShutdown(),
  };
}

/** A client, and when it has a connection. */
function client(address: string) {
  const ended = new AbortController();
  const log = createLogger("test", "silent");
  const failures: string[] = [];
  log.warn = ({ reason }: { reason: string }) => void failures.push(reason);
  let connected = () => {};
  const connection = new Promise<void>((resolve) => connected = resolve);
  const client = new ControllerClient({
    address,
    identity: null,
    log,
    hello: () => Hello.create({ node: "n1" }),
    onDelta() {},
    onConnection: (is) => is && connected(),
  });
  const run = client.run(ended.signal);
  const end = () => {
    ended.abort();
    return run;
  };
  return { client, connection, failures, end };
}

Deno.test("an agent that came before its controller is served, and says why it was not", async () => {
  const address = `127.0.0.1:${freePort()}`;
  const agent = client(address);
  while (agent.failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(agent.failures[0], /ECONNREFUSED/);
  const server = await controller(address);
  await agent.connection;
  const heard = server.next();
  agent.client.send({ $case: "status", value: NodeStatus.create() });
  await heard;
  await agent.end();
  server.stop();
});

Deno.test("a connection that is silent is passed by another one", async () => {
  const port = freePort();
  const server = await controller(`127.0.0.1:${port}`);
  const sockets: Socket[] = [];
  // As a Service with a lost pod behind it: the first connection leads nowhere.
  const service = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    if (sockets.length === 1) return;
    const onward = connect(port, "127.0.0.1");
    onward.on("error", () => {});
    socket.pipe(onward).pipe(socket);
  });
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  const agent = client(`127.0.0.1:${(service.address() as AddressInfo).port}`);
  await once(service, "connection");
  const [first] = sockets;
  first.resume();
  await once(service, "connection");
  assert.ok(!first.readableEnded && !first.destroyed, "the first one was not given up before");
  await agent.connection;
  assert.equal(sockets.length, 2);
  await agent.end();
  server.stop();
  service.close();
  // The library leaves one that never came about to the kernel's own limits.
  for (const socket of sockets) socket.destroy();
});

Deno.test("a leader that cannot be reached is told to the controller that named it", async () => {
  const silent = createServer((socket) => void sockets.push(socket));
  const sockets: Socket[] = [];
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const lost = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const address = `127.0.0.1:${freePort()}`;
  const server = await controller(address, lost);
  const agent = client(address);
  await agent.connection;
  assert.deepEqual(server.unreachable, ["", lost]);
  await agent.end();
  server.stop();
  silent.close();
  for (const socket of sockets) socket.destroy();
});
