/** Whether a request exists that both sets of hostnames cover; an empty set covers all. */
export function hostnamesMeet(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 0 || b.length === 0) return true;
  return a.some((x) => b.some((y) => meet(x.toLowerCase(), y.toLowerCase())));
}

function meet(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.endsWith(".*")) return meetPrefix(a, b);
  if (b.endsWith(".*")) return meetPrefix(b, a);
  const wildA = a.startsWith("*.");
  const wildB = b.startsWith("*.");
  if (wildA && wildB) return a.endsWith(b.slice(1)) || b.endsWith(a.slice(1));
  if (wildA) return b.endsWith(a.slice(1));
  return wildB && a.endsWith(b.slice(1));
}

/** "api.*" and a suffix always meet: "api." in front of the suffix's name is one of both. */
function meetPrefix(prefix: string, other: string): boolean {
  if (other.startsWith("*.")) return true;
  const start = prefix.slice(0, -1);
  return other.startsWith(start) || (other.endsWith(".*") && start.startsWith(other.slice(0, -1)));
}
