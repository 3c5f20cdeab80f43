import { Kind } from "../../common/delta/resources.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { ResourceUpdate } from "./translator.ts";

/** Lines about the objects among the updates whose outcome says that something does not hold. */
export function outcomeProblems(updates: readonly ResourceUpdate[]): string[] {
  const lines: string[] = [];
  for (const { kind, resource } of updates) {
    if (kind !== Kind.KIND_OUTCOME || resource === null) continue;
    const { kind: objectKind, namespace, name, conditions } = Outcome.decode(resource.body);
    for (const { status, reason, message } of conditions) {
      // What a source refused it reports itself, with file and line.
      if (!status && reason !== "Invalid") {
        lines.push(`${objectKind}/${namespace}/${name}: ${reason}: ${message}`);
      }
    }
  }
  return lines;
}
