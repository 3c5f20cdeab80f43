/** A value without parts. */
export type ScalarValue = string | number | boolean | null;

const INTEGER = /^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
/** Digits of numbers that mean something; a longer text is read as a string, as a number would lose it. */
const LONGEST_NUMBER = 400;

const WORDS = new Map<string, ScalarValue>([
  ["", null],
  ...["~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["true", "True", "TRUE"].map((word) => [word, true] as const),
  ...["false", "False", "FALSE"].map((word) => [word, false] as const),
  ...[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"].map((word) => [word, Infinity] as const),
  ...["-.inf", "-.Inf", "-.INF"].map((word) => [word, -Infinity] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, NaN] as const),
]);

/** Returns what a plain scalar stands for in the core schema (YAML 1.2.2 section 10.3.2). */
export function plainValue(text: string): ScalarValue {
  if (text.length <= 5) {
    const word = WORDS.get(text);
    if (word !== undefined) return word;
  }
  const first = text.charCodeAt(0);
  // "+", "-", "." and digits, which only "/" stands between.
  if (first < 43 || first > 57 || text.length > LONGEST_NUMBER) return text;
  return INTEGER.test(text) ? integer(text) : FLOAT.test(text) ? Number(text) : text;
}

function integer(text: string): number {
  // A leading zero is no octal number in YAML 1.2.
  return /^0[ox]/.test(text) ? Number(text) : parseInt(text, 10);
}
