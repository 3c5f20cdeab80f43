import { Kind } from "../../common/delta/resources.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { failuresOf, remarksOf } from "./failures.ts";
import type { ResourceUpdate } from "./translator.ts";

/** Lines about the objects among the updates whose outcome says that something does not hold, or is not served. */
export function outcomeProblems(updates: readonly ResourceUpdate[]): string[] {
  const lines: string[] = [];
  for (const { kind, resource } of updates) {
    if (kind !== Kind.KIND_OUTCOME || resource === null) continue;
    const outcome = Outcome.decode(resource.body);
    const object = `${outcome.kind}/${outcome.namespace}/${outcome.name}`;
    for (const { place, reason, message } of failuresOf(outcome)) {
      // What a source refused it reports itself, with file and line.
      if (reason !== "Invalid") lines.push(`${object}${place}: ${reason}: ${message}`);
    }
    for (const { type, message } of remarksOf(outcome)) {
      lines.push(`${object}: ${type}: not served by this version: ${message}`);
    }
  }
  return lines;
}
