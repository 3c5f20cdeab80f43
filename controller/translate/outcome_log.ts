import { Kind } from "../../common/delta/resources.ts";
import { type Condition, Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { ResourceUpdate } from "./translator.ts";

/** Lines about the objects among the updates whose outcome says that something does not hold. */
export function outcomeProblems(updates: readonly ResourceUpdate[]): string[] {
  const lines: string[] = [];
  for (const { kind, resource } of updates) {
    if (kind !== Kind.KIND_OUTCOME || resource === null) continue;
    const { kind: objectKind, namespace, name, conditions, listeners, parents } = Outcome.decode(
      resource.body,
    );
    const tell = (place: string, list: readonly Condition[]) => {
      for (const { type, status, reason, message } of list) {
        // What a source refused it reports itself, with file and line; Conflicted holds when it is bad.
        const bad = type === "Conflicted" || type === "PartiallyInvalid" ? status : !status;
        if (!bad || reason === "Invalid") continue;
        lines.push(`${objectKind}/${namespace}/${name}${place}: ${reason}: ${message}`);
      }
    };
    tell("", conditions);
    for (const listener of listeners) tell(` listener ${listener.name}`, listener.conditions);
    for (const parent of parents) {
      const section = parent.sectionName === "" ? "" : `/${parent.sectionName}`;
      tell(` at ${parent.namespace}/${parent.name}${section}`, parent.conditions);
    }
  }
  return lines;
}
