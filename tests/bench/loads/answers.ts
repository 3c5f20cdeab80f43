import { ask } from "../raw_client.ts";
import type { LoadPlan } from "./load.ts";

/** Whether a proxy serves its first and its last host over HTTP/1.1. */
export async function answersHttp1(plan: LoadPlan): Promise<boolean> {
  const { port, hosts, path, tls, answerLength } = plan;
  for (const host of new Set([hosts[0], hosts[hosts.length - 1]])) {
    const answer = await ask(port, host, path, { tls });
    if (answer?.status !== 200 || answer.body.length !== answerLength) return false;
  }
  return true;
}
