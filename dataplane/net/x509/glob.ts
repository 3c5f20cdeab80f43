/**
 * Whether a text matches a pattern in which * stands for any characters, in any case. Each part of the
 * pattern is looked for once, so the cost is bounded by the lengths multiplied and never more.
 */
export function glob(pattern: string, text: string): boolean {
  const parts = pattern.toLowerCase().split("*");
  const subject = text.toLowerCase();
  const first = parts.shift()!;
  if (parts.length === 0) return subject === first;
  const last = parts.pop()!;
  if (subject.length < first.length + last.length) return false;
  if (!subject.startsWith(first) || !subject.endsWith(last)) return false;
  const end = subject.length - last.length;
  let at = first.length;
  for (const part of parts) {
    const found = subject.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
