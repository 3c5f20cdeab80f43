import { grpcAnswer, type LocalAnswer, withFields } from "../message/local_answer.ts";
import type { Reason } from "../observe/reasons.ts";
import type { Routing } from "./routing.ts";

/** The form in which a client gets an answer of our own: gRPC's, or with its listener's page and fields. */
export function localForm(
  answer: LocalAnswer,
  reason: Reason,
  routing: Routing,
  grpc: boolean,
): LocalAnswer {
  const form = grpc ? grpcAnswer(answer) : withPage(answer, reason, routing);
  return withFields(form, routing.answerEdits);
}

function withPage(answer: LocalAnswer, reason: Reason, { decision }: Routing): LocalAnswer {
  const page = decision.listener?.settings.errorPages?.get(answer.status);
  if (page === undefined) return answer;
  const fields = answer.fields.filter(([name]) => name !== "content-type");
  return {
    ...answer,
    body: page.body(answer.status, reason),
    fields: [["content-type", page.contentType], ...fields],
  };
}
