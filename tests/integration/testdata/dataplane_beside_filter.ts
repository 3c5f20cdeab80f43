/** Runs the dataplane in a process where a thread has a seccomp filter of its own. */
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { Confinement } from "../../../dataplane/net/native/confine/confinement.ts";

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve) => worker.once("message", resolve));
  await import("../../../dataplane/main.ts");
} else {
  const confinement = new Confinement();
  confinement.noNewPrivileges();
  confinement.filterCalls(new Map(), false);
  parentPort!.on("message", () => {});
  parentPort!.postMessage("here");
}
