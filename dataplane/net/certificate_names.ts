/**
 * Whether a certificate has one of some names.
 * @param names in any case
 * @param alternatives its alternative names in the form "DNS:a, URI:spiffe://b, IP Address:::1"
 */
export function hasOneOf(names: readonly string[], alternatives: string): boolean {
  const known = new Set(
    alternatives.split(", ").map((entry) => entry.slice(entry.indexOf(":") + 1).toLowerCase()),
  );
  return names.some((name) => known.has(name.toLowerCase()));
}
