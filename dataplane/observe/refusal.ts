import { type LocalAnswer, refusalAnswer } from "../message/local_answer.ts";
import type { Reason } from "./reasons.ts";

/** Why a request does not go to a backend, and what the client gets instead. */
export interface Refusal {
  readonly status: number;
  readonly reason: Reason;
  readonly answer: LocalAnswer;
}

/** A refusal with the standard answer of its status, and fields beside those. */
export function refusal(
  status: number,
  reason: Reason,
  fields: LocalAnswer["fields"] = [],
): Refusal {
  const answer = refusalAnswer(status, reason);
  return {
    status,
    reason,
    answer: fields.length === 0 ? answer : { ...answer, fields: [...answer.fields, ...fields] },
  };
}
