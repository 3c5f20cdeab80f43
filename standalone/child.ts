/** Worker of the standalone process: runs one program with the permissions its parent gave it. */
import { delay } from "../common/backoff.ts";
import { messageOf } from "../common/errors.ts";
import type { Asked } from "../common/program.ts";
import type { FromChild, ToChild } from "./messages.ts";

/** Milliseconds between two looks for a socket. */
const LOOK = 10;

const abort = new AbortController();
const asked: Asked = { reload() {}, reopen() {} };
const scope = self as unknown as {
  postMessage(message: FromChild): void;
  onmessage: ((event: MessageEvent<ToChild>) => void) | null;
};

async function run(message: ToChild & { type: "start" }): Promise<void> {
  const { signal } = abort;
  switch (message.program) {
    case "controller": {
      const { runController } = await import("../controller/controller.ts");
      return runController(message.flags, signal, asked);
    }
    case "agent": {
      const { runAgent } = await import("../agent/agent.ts");
      for (const socket of message.after) await appeared(socket, signal);
      return runAgent(
        message.flags,
        signal,
        (serving) => scope.postMessage({ type: "serving", serving }),
      );
    }
    case "dataplane":
      return (await import("../dataplane/dataplane.ts")).runDataplane(
        message.flags,
        signal,
        asked,
        false,
      );
    case "demo":
      return (await import("./demo/backends.ts")).runDemoBackends(message.flags, signal);
  }
}

/** Resolves when a socket is there, or the signal is aborted. */
async function appeared(path: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await Deno.stat(path).then(() => true, () => false)) return;
    await delay(LOOK, signal);
  }
}

scope.onmessage = ({ data }) => {
  if (data.type === "stop") abort.abort();
  else if (data.type === "reload") asked.reload();
  else if (data.type === "reopen") asked.reopen();
  else {
    run(data).then(
      () => scope.postMessage({ type: "ended" }),
      (error) => scope.postMessage({ type: "failed", reason: messageOf(error) }),
    );
  }
};
