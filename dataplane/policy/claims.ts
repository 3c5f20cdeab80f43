import type { Claims } from "./policy.ts";

/** The claim of a name; dots lead into objects where no claim has the whole name. */
export function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** A claim as text for a header or key, lists joined by commas; null when it has no such form. */
export function claimText(value: unknown): string | null {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "boolean":
      return String(value);
    default:
      return Array.isArray(value) && value.every((item) => typeof item !== "object")
        ? value.map(String).join(",")
        : null;
  }
}

/** Whether a claim is one of the values, or a list or text of words that has one. */
export function claimHas(value: unknown, values: readonly string[]): boolean {
  if (value === undefined || value === null) return false;
  if (values.length === 0) return true;
  if (Array.isArray(value)) return value.some((item) => values.includes(String(item)));
  if (typeof value === "string") {
    return values.includes(value) || value.split(" ").some((word) => values.includes(word));
  }
  return values.includes(String(value));
}
