import { cutsAnswer, type Plan } from "./plan.ts";
import type { Result } from "./result.ts";
import type { World } from "./world.ts";

/** Bytes of a request's content that the edge keeps to send them again. */
const REPLAYED = 65_536;

/** Compares what came back with the only things that may come of a plan, and counts it. */
export function judge(world: World, traffic: string, plan: Plan, result: Result): void {
  const { ledger, links } = world;
  const wrong = (what: string) =>
    ledger.violate(`${traffic}: ${what}: ${result} for ${JSON.stringify(plan)}`);
  if (result.malformed !== "") return wrong(result.malformed);
  if (!result.content.right) return wrong("foreign or broken content");
  if (result.answerId !== 0 && result.answerId !== plan.id) return wrong("a foreign answer");
  const fromBackend = result.complete && result.answerId !== 0;
  if (fromBackend && (result.status !== 200 || result.content.length !== plan.size)) {
    return wrong("complete with another length");
  }
  if (fromBackend) {
    if (!mayBeWhole(plan)) return wrong("complete though it cannot be");
    ledger.ended(traffic, "right");
  } else if (result.complete) {
    const reason = result.text.trim();
    if (plan.abort === "fin-in-request" && [400, 408].includes(result.status)) {
      ledger.ended(traffic, "client abort", reason);
    } else if (mayFail(plan, reason)) ledger.ended(traffic, "backend fault", reason);
    else wrong("an error without a cause");
  } else if (result.left || leaves(plan)) {
    ledger.ended(traffic, "client abort", result.left ? "connection-reset" : plan.abort);
  } else if (mayBeCut(plan)) ledger.ended(traffic, "backend fault", "cut");
  else if (result.gone && links.inCrash) ledger.ended(traffic, "worker crash");
  else wrong("cut without a cause");
}

function leaves({ abort }: Plan): boolean {
  return abort !== "none" && abort !== "half-close";
}

/** Whether the backend can have sent all of its answer, and the client can have stayed to read it. */
function mayBeWhole({ fault, abort, backend }: Plan): boolean {
  if (abort.endsWith("in-request")) return false;
  return backend === "torn" || !(fault.startsWith("reset") || cutsAnswer(fault));
}

function mayBeCut({ fault, backend }: Plan): boolean {
  return backend === "torn" || cutsAnswer(fault);
}

/** Whether the edge may answer in the backend's place. */
function mayFail({ fault, backend, method, upload }: Plan, reason: string): boolean {
  switch (reason) {
    case "502 upstream_reset":
      // A GET goes out again on a fresh connection, which no silent end can hit.
      return fault.startsWith("reset") || cutsAnswer(fault) || backend === "torn" ||
        (backend === "silent" && method === "POST");
    case "502 upstream_refused":
      return fault === "refuse" && upload > REPLAYED;
    case "502 connect_failed":
      return backend === "torn";
    default:
      return false;
  }
}
