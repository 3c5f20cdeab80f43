/** Names remembered; more start over. */
const MOST = 10_000;
const names = new Map<string, string>();

/**
 * The one copy of a name that all who refer to it share: messages bring a copy each, and comparing two
 * copies costs a lookup far more than finding that they are the same.
 */
export function intern(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size >= MOST) names.clear();
  names.set(name, name);
  return name;
}
