import type { IngressBackend } from "../../../api/ingress.ts";
import type { RefSpec, RuleSpec } from "../rule_spec.ts";
import type { SourceObject } from "../source_object.ts";
import type { View } from "../view.ts";
import { namedClass } from "./class_facts.ts";
import type { Canary } from "./settings.ts";

/** One path of an Ingress. */
export interface Place {
  /** Where it stands in the object. */
  readonly label: string;
  readonly host: string;
  readonly path: string;
  readonly type: "Exact" | "Prefix" | "ImplementationSpecific";
  readonly backend: IngressBackend;
}

/** The oldest canary of the same class and namespace that has the same host and path; null for none. */
export function canariesAt(
  ingress: SourceObject<"Ingress">,
  { host, path }: Place,
  view: View,
): { ingress: SourceObject<"Ingress">; backend: IngressBackend } | null {
  const candidates = view.select("Ingress", "canary", `${ingress.namespace}/${host}`);
  for (const candidate of candidates) {
    if (namedClass(candidate) !== namedClass(ingress)) continue;
    for (const rule of candidate.body.spec?.rules ?? []) {
      if ((rule.host ?? "").toLowerCase() !== host) continue;
      const found = rule.http?.paths.find((entry) => (entry.path ?? "/") === path);
      if (found !== undefined) return { ingress: candidate, backend: found.backend };
    }
  }
  return null;
}

/** The rules that part the requests of a path: by a field, else by a cookie, else by weight. */
export function splitRules(canary: Canary, main: RefSpec, other: RefSpec): RuleSpec[] {
  const rules: RuleSpec[] = [];
  const by = (
    headers: NonNullable<NonNullable<RuleSpec["matches"]>[number]["headers"]>,
    to: RefSpec,
  ) => rules.push({ matches: [{ headers }], backendRefs: [to] });
  const { header, value, pattern, cookie, weight, total } = canary;
  if (header !== "" && value !== "") by([{ name: header, value }], other);
  else if (header !== "" && pattern !== "") {
    by([{ type: "RegularExpression", name: header, value: pattern }], other);
  } else if (header !== "") {
    by([{ name: header, value: "always" }], other);
    by([{ name: header, value: "never" }], main);
  }
  if (cookie !== "") {
    const said = (word: string) => [{
      type: "RegularExpression" as const,
      name: "Cookie",
      value: `(^|.*; *)${cookie.replace(/[^\w-]/g, "\\$&")}=${word}(;.*|$)`,
    }];
    by(said("always"), other);
    by(said("never"), main);
  }
  const split: RefSpec[] = [];
  if (weight < total) split.push({ ...main, weight: total - weight });
  if (weight > 0) split.push({ ...other, weight });
  rules.push({ backendRefs: split });
  return rules;
}
