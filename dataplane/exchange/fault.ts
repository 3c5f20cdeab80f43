import { type Refusal, refusal } from "../observe/refusal.ts";
import type { Verdict } from "../policy/policy.ts";
import type { Fault } from "../router/compiled.ts";
import type { Engine } from "./engine.ts";
import type { Routing } from "./routing.ts";

const answers = new WeakMap<Fault, Refusal>();

/** What a rule does to requests on purpose: some wait, some are refused. */
export function inject(fault: Fault, routing: Routing, engine: Engine): Verdict {
  const { header, delay, delayPercent, abortPercent } = fault;
  if (header !== "" && routing.header(header) === null) return null;
  const delayed = delay > 0 && engine.random() * 100 < delayPercent;
  const refused = engine.random() * 100 < abortPercent ? answerOf(fault) : null;
  if (!delayed) return refused;
  return new Promise((resolve) => engine.later(delay, () => resolve(refused)));
}

function answerOf(fault: Fault): Refusal {
  let answer = answers.get(fault);
  if (answer === undefined) {
    answers.set(fault, answer = refusal(fault.abortStatus, "fault_injected"));
  }
  return answer;
}
