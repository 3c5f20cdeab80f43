/** Worker of the standalone process: runs one program with the permissions its parent gave it. */
import { messageOf } from "../common/errors.ts";
import type { FromChild, ToChild } from "./messages.ts";

const abort = new AbortController();
const scope = self as unknown as {
  postMessage(message: FromChild): void;
  onmessage: ((event: MessageEvent<ToChild>) => void) | null;
};

async function run(message: ToChild & { type: "start" }): Promise<void> {
  switch (message.program) {
    case "controller":
      return (await import("../controller/controller.ts")).runController(
        message.flags,
        abort.signal,
      );
    case "agent":
      return (await import("../agent/agent.ts")).runAgent(message.flags, abort.signal);
    case "dataplane":
      return (await import("../dataplane/dataplane.ts")).runDataplane(
        message.flags,
        abort.signal,
        false,
      );
    case "demo":
      return (await import("./demo/backends.ts")).runDemoBackends(message.flags, abort.signal);
  }
}

scope.onmessage = ({ data }) => {
  if (data.type === "stop") {
    abort.abort();
    return;
  }
  run(data).then(
    () => scope.postMessage({ type: "ended" }),
    (error) => scope.postMessage({ type: "failed", reason: messageOf(error) }),
  );
};
