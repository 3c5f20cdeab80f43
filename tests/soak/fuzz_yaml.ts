/** YAML of any structure at the source of a folder: nothing may be thrown, and no text may take long. */
import { KINDS } from "../../api/kinds.ts";
import { FolderState } from "../../controller/source/files/folder_state.ts";
import { Dice } from "./fuzz_dice.ts";
import { type Fuzzed, Fuzzing } from "./fuzzing.ts";

/** Characters of the largest text. */
const LONGEST = 64 * 1024;

const GROUPS = [
  "novaedge.io/v1alpha1",
  "gateway.networking.k8s.io/v1",
  "v1",
  "networking.k8s.io/v1",
];
const FIELDS = [
  ...["spec", "rules", "matches", "backendRefs", "listeners", "endpoints", "hostnames", "filters"],
  ...["name", "path", "value", "type", "port", "headers", "targetRef", "metadata", "labels", "a b"],
  ...["<<", "__proto__", "constructor", "1", "0x10", "null", "~", "true", "'q'", '"d"', "é", "*a"],
];
const SCALARS = [
  ...["a", "1", "-1", "0x1f", "0o17", "1e3", ".5", ".inf", ".nan", "null", "~", "true", "False"],
  ...["'it''s'", '"\\u00e9\\n\\x41"', "*a", "&a x", "!!str 1", "!!int 1", "!t x", "a: b", "x #c"],
  ...[
    "|\n  l\n   m\n",
    ">-\n  f\n  g\n\n  h\n",
    "''",
    '""',
    "?",
    "-",
    "'",
    '"',
    "[",
    "}",
    "@",
    "%",
  ],
];
const PIECES = [
  ...["- ", "? ", ": ", "-\n", "?\n", ":\n", "[", "]", "{", "}", ",", "[]", "{}", "a,", "a: 1\n"],
  ...[
    "&a ",
    "*a ",
    "*a,",
    "- *a\n",
    "!!str ",
    "!t ",
    "'",
    '"',
    "''",
    "\\",
    "\\n",
    '"\n',
    "#\n",
    " #\n",
  ],
  ...[
    "\n",
    " ",
    "\t",
    "\r\n",
    "---\n",
    "--- a\n",
    "...\n",
    "%YAML 1.2\n",
    "|\n",
    ">\n",
    " x\n",
    "  x\n",
  ],
  ...[
    "1",
    ".",
    "+",
    "-",
    "e",
    "0x",
    "<<: *a\n",
    "- a\n",
    "  - b: c\n",
    "\ufeff",
    "k",
    "\u2028",
    "x:",
  ],
];

/** Makes texts from choices. */
class YamlDice {
  constructor(readonly dice: Dice) {}

  text(): string {
    const { dice } = this;
    const texts = [
      () => this.#documents(),
      () => this.#repeated(),
      () => this.#deep(),
      () => this.#wide(),
      () => this.#aliases(),
      () => this.#spoiled(),
      () => this.#large(),
    ];
    return dice.pick(texts)().slice(0, LONGEST);
  }

  #head(): string {
    const { dice } = this;
    const kind = dice.pick(Object.keys(KINDS));
    return `apiVersion: ${dice.pick(GROUPS)}\nkind: ${kind}\nmetadata: { name: n${
      dice.below(9)
    } }\n`;
  }

  /** Objects of any kind with any fields. */
  #documents(): string {
    const { dice } = this;
    let text = "";
    for (let count = 1 + dice.below(dice.pick([3, 400])); count > 0 && text.length < LONGEST;) {
      text += `---\n${this.#head()}spec:${this.#block(1, 1 + dice.below(6))}\n`;
      count--;
    }
    return text;
  }

  #block(level: number, depth: number): string {
    const { dice } = this;
    const pad = "  ".repeat(level);
    if (depth === 0 || dice.below(4) === 0) return ` ${dice.pick(SCALARS)}`;
    if (dice.below(4) === 0) return ` ${this.#flow(depth)}`;
    const anchor = dice.below(8) === 0 ? " &a" : "";
    const list = dice.below(2) === 0;
    let text = anchor;
    for (let count = 1 + dice.below(4); count > 0; count--) {
      const mark = list ? "-" : dice.below(12) === 0 ? `? ${dice.pick(FIELDS)}\n${pad}:` : "";
      text += `\n${pad}${mark || `${dice.pick(FIELDS)}:`}${this.#block(level + 1, depth - 1)}`;
    }
    return text;
  }

  #flow(depth: number): string {
    const { dice } = this;
    if (depth === 0 || dice.below(3) === 0) return dice.pick(SCALARS);
    const list = dice.below(2) === 0;
    const parts = Array.from({ length: dice.below(4) }, () => {
      const value = this.#flow(depth - 1);
      return list ? value : `${dice.pick(FIELDS)}: ${value}`;
    });
    const text = parts.join(dice.pick([",", ", ", ",\n        "]));
    return list ? `[${text}]` : `{${text}}`;
  }

  /** A few pieces over and over. */
  #repeated(): string {
    const { dice } = this;
    const pieces = Array.from({ length: 1 + dice.below(3) }, () => dice.pick(PIECES)).join("");
    const start = dice.pick([
      "",
      "a: ",
      "a:\n",
      "- ",
      "[",
      "{",
      '"',
      "'",
      "a: |\n",
      "a: >\n",
      "a: &a x\n",
    ]);
    const length = dice.pick([100, 1_000, LONGEST]);
    return `${dice.below(2) === 0 ? this.#head() : ""}${start}${
      pieces.repeat(length / pieces.length)
    }`;
  }

  /** Collections in collections, each in another style. */
  #deep(): string {
    const { dice } = this;
    const styles = Array.from({ length: 1 + dice.below(3) }, () => dice.below(6));
    let text = this.#head();
    const end = dice.pick([10, 70, 400, 20_000]);
    for (let level = 0; level < end; level++) {
      const pad = " ".repeat(Math.min(level, LONGEST));
      text += ["? ", "- ", "[", "{a: ", `\n${pad}a:`, `\n${pad}- `][styles[level % styles.length]];
      if (text.length > LONGEST) break;
    }
    return text;
  }

  /** One collection with as much as fits. */
  #wide(): string {
    const { dice } = this;
    const where = dice.pick(["", "spec:\n  ", "spec:\n  rules:\n  ", "spec: ", "metadata:\n  "]);
    const step = dice.pick([1, 2 ** 14, 7_919]);
    const make = dice.pick<(i: number) => string>([
      (i) => `k${i}: ${dice.pick(SCALARS)}\n  `,
      (i) => `${i * step}: x\n  `,
      () => "- a\n  ",
      () => `- {${dice.pick(FIELDS)}: ${dice.pick(SCALARS)}}\n  `,
      (i) => `? k${i}\n  : v\n  `,
      (i) => `- name: r${i}\n    ${dice.pick(FIELDS)}: ${dice.pick(SCALARS)}\n  `,
    ]);
    let text = this.#head() + where;
    for (let i = 0; text.length < LONGEST; i++) text += make(i);
    return text;
  }

  /** Aliases of aliases, and merge keys. */
  #aliases(): string {
    const { dice } = this;
    const times = 1 + dice.below(10);
    let text = `${this.#head()}x0: &x0 ${
      dice.pick(["x", "[a, b]", "{a: b}", `"${"x".repeat(9_000)}"`])
    }\n`;
    for (let i = 1; i < dice.pick([5, 30, 1_000]); i++) {
      const alias = dice.pick([`*x${i - 1}`, `*x0`, `<<: *x${i - 1}`]);
      const list = Array.from({ length: times }, () => alias).join(", ");
      text += alias.startsWith("<") ? `x${i}: &x${i} {${alias}}\n` : `x${i}: &x${i} [${list}]\n`;
    }
    return text;
  }

  /** A text with parts of it cut out, doubled or exchanged for pieces. */
  #spoiled(): string {
    const { dice } = this;
    let text = this.#documents().slice(0, LONGEST);
    for (let count = 1 + dice.below(6); count > 0; count--) {
      const at = dice.below(text.length + 1);
      const length = dice.below(dice.pick([2, 40]));
      const part = dice.pick([dice.pick(PIECES), "", text.slice(at, at + 2 * length)]);
      text = text.slice(0, at) + part + text.slice(at + length);
    }
    return text;
  }

  /** One scalar, name or comment with all the characters. */
  #large(): string {
    const { dice } = this;
    const filling = dice.pick([...PIECES, "a", "a-", "a.", "1.", "ab "]).repeat(LONGEST);
    const body = filling.slice(0, LONGEST - 300);
    return dice.pick([
      `kind: ${body}`,
      `${this.#head()}spec: "${body}"`,
      `${this.#head()}spec: '${body}'`,
      `${this.#head()}spec: ${body}`,
      `${this.#head()}${body}: 1`,
      `${this.#head()}spec:\n  hostnames: ["${body}"]`,
      `${this.#head()}# ${body}`,
      `${this.#head()}spec: &${body}`,
      `${this.#head()}spec: !${body}`,
      `apiVersion: novaedge.io/v1alpha1\nkind: ProxyRoute\nmetadata: { name: "${body}" }`,
      `apiVersion: ${body}\nkind: ProxyRoute\nmetadata: { name: a }`,
    ]);
  }
}

/** Milliseconds that a folder takes for a text, and for what it then says. */
function cost(text: string): number {
  const start = performance.now();
  const state = new FolderState();
  state.apply([["fuzz.yaml", text]]);
  JSON.stringify(state.problems());
  return performance.now() - start;
}

/**
 * Gives texts to the source of a folder for some time.
 * @param seed of the dice
 */
export function fuzzYaml(milliseconds: number, seed: number): Fuzzed {
  const made = new YamlDice(new Dice(seed));
  using fuzzing = new Fuzzing(milliseconds);
  while (fuzzing.goesOn) {
    const text = made.text();
    fuzzing.run(() => text, () => cost(text));
  }
  return fuzzing.found("texts");
}
