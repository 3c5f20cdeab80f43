import { Buffer } from "node:buffer";

/** Characters that a call looked at or copied, by its subject, arguments and result. */
type Cost = (subject: unknown, args: readonly unknown[], result: unknown) => number;
type Methods = Record<string, (this: unknown, ...args: unknown[]) => unknown>;

const lengthOf = (text: unknown) => String(text).length;
const whole: Cost = (subject) => lengthOf(subject);
const needle: Cost = (_subject, [text]) => lengthOf(text);
const copied: Cost = (_subject, _args, result) => lengthOf(result);

const STRING_COSTS: Readonly<Record<string, Cost>> = {
  split: whole,
  trim: whole,
  toLowerCase: whole,
  toUpperCase: whole,
  replace: whole,
  replaceAll: whole,
  match: whole,
  includes: whole,
  slice: copied,
  substring: copied,
  startsWith: needle,
  endsWith: needle,
  charCodeAt: () => 1,
  indexOf(subject, [text, from], result) {
    const found = Number(result);
    const end = found < 0 ? lengthOf(subject) : found + lengthOf(text);
    return end - Math.max(0, Number(from ?? 0));
  },
  lastIndexOf(subject, [, from], result) {
    const start = Math.max(0, Number(from ?? lengthOf(subject)));
    return Math.min(lengthOf(subject), start) - Number(result);
  },
};

/** Position to which an expression read. */
const matched: Cost = (_pattern, [text], result) => {
  const match = result as RegExpExecArray | null;
  return match === null ? lengthOf(text) : match.index + match[0].length;
};

/**
 * Counts characters that methods of strings, regular expressions and conversions look at while `run`
 * runs. An expression counts for the text from where it begins to the end of its match, or to the end:
 * that it passes each character once is for V8's linear mode to see to.
 */
export function charactersRead(run: () => void): number {
  let read = 0;
  let inner = false;
  const undo: (() => void)[] = [];
  const patch = (owner: object, name: string, cost: Cost) => {
    const methods = owner as Methods;
    const original = methods[name];
    undo.push(() => methods[name] = original);
    methods[name] = function (...args) {
      if (inner) return original.apply(this, args);
      const start = this instanceof RegExp ? this.lastIndex : 0;
      const result = original.apply(this, args);
      inner = true;
      read += Math.max(1, cost(this, args, result) - start);
      inner = false;
      return result;
    };
  };
  for (const [name, cost] of Object.entries(STRING_COSTS)) patch(String.prototype, name, cost);
  patch(RegExp.prototype, "exec", matched);
  patch(Buffer.prototype, "latin1Slice", copied);
  patch(TextEncoder.prototype, "encode", needle);
  try {
    run();
  } finally {
    for (const restore of undo) restore();
  }
  return read;
}

/** Counts reads of single bytes of `bytes` in what `run` does with them. */
export function bytesRead(bytes: Buffer, run: (watched: Buffer) => void): number {
  let read = 0;
  run(
    new Proxy(bytes, {
      get(target, name) {
        if (typeof name === "string" && /^\d+$/.test(name)) read++;
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
  );
  return read;
}
