import type { Condition, Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";

/** One thing that an outcome says against its object. */
export interface Failure {
  /** Part of the object, as " listener https"; "" for all of it. */
  readonly place: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** Conditions that hold when something is bad. */
const BAD_WHEN_TRUE: ReadonlySet<string> = new Set(["Conflicted", "PartiallyInvalid"]);

/** What an outcome says against its object. */
export function failuresOf({ conditions, listeners, parents }: Outcome): Failure[] {
  const failures: Failure[] = [];
  const look = (place: string, list: readonly Condition[]) => {
    for (const { type, status, reason, message } of list) {
      if (status === BAD_WHEN_TRUE.has(type)) failures.push({ place, type, reason, message });
    }
  };
  look("", conditions);
  for (const { name, conditions } of listeners) look(` listener ${name}`, conditions);
  for (const { namespace, name, sectionName, conditions } of parents) {
    look(` at ${namespace}/${name}${sectionName === "" ? "" : `/${sectionName}`}`, conditions);
  }
  return failures;
}

/** Conditions that say what an object asks for and this version does not serve. */
const REMARKS: ReadonlySet<string> = new Set(["UnsupportedField"]);

/** What of an object is not served by this version. */
export function remarksOf({ conditions }: Outcome): Failure[] {
  return conditions.filter(({ type, status }) => status && REMARKS.has(type))
    .map(({ type, reason, message }) => ({ place: "", type, reason, message }));
}

/** A failure in words: place, reason and message. */
export function failureText({ place, reason, message }: Failure): string {
  return `${place} ${reason}: ${message}`.trim();
}

/** The failures that were not there before; parts of a message count one by one, for one may be mended. */
export function newFailures(
  before: readonly Failure[],
  after: readonly Failure[],
): readonly Failure[] {
  const known = new Set(before.flatMap(partsOf));
  return after.filter((failure) => partsOf(failure).some((part) => !known.has(part)));
}

/** Conditions join what is said against them. */
function partsOf({ place, type, message }: Failure): string[] {
  return message.split("; ").map((part) => `${place} ${type}: ${part}`);
}
