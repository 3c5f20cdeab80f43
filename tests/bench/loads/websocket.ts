import { Buffer } from "node:buffer";
import { BODY_100 } from "../bodies.ts";
import { denoCommand } from "../runtime.ts";
import type { Scene } from "../scene.ts";
import { messageFrame, WebSocketClient } from "../websocket_client.ts";
import type { LoadGenerator, LoadPlan } from "./load.ts";

/** Messages over WebSockets, by a script of ours. */
export function webSocketLoad(scene: Scene): LoadGenerator {
  return {
    description: "our WebSocket generator",
    check: echoes,
    async run({ core, ...plan }) {
      const command = denoCommand("tests/bench/websocket_load.ts", [JSON.stringify(plan)]);
      return JSON.parse(await scene.run("load", command, { core }));
    },
  };
}

function echoes({ port, hosts, path }: LoadPlan): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const payload = Buffer.from(BODY_100);
  const client: WebSocketClient = new WebSocketClient(port, hosts[0], path, {
    onOpen: () => client.send(messageFrame(payload)),
    onMessage: (message) => resolve(message.equals(payload)),
    onEnd: () => resolve(false),
  });
  return promise.finally(() => client.close());
}
