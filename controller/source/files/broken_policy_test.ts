import assert from "node:assert/strict";
import { characterSteps } from "../../../tests/support/character_steps.ts";
import { SOURCE_LIMIT } from "../source_limits.ts";
import { brokenPolicy } from "./broken_policy.ts";
import { parseFile } from "./parse_file.ts";

const META = "apiVersion: novaedge.io/v1alpha1\nkind: ProxyPolicy\n";
const HEAD = `${META}metadata:\n  name: p\n`;
const SPEC = "spec:\n  targetRef: { kind: ProxyRoute, name: r }\n";

/** What stands for the policy of a file: "name → kind/name/section". */
function standIn(text: string): string {
  const steps = parseFile(text, []);
  for (;;) {
    const step = steps.next();
    if (step.done !== true) continue;
    const { key, substitute, targetUnknown } = step.value.documents.at(-1)!.parsed;
    if (targetUnknown) return "unknown";
    if (substitute === null) return "nothing";
    const { targetRef } = (substitute as { spec: { targetRef: Record<string, string> } }).spec;
    const section = targetRef.sectionName === undefined ? "" : `/${targetRef.sectionName}`;
    return `${key!.namespace}/${key!.name} → ${targetRef.kind}/${targetRef.name}${section}`;
  }
}

const TOLD = "default/p → ProxyRoute/r";
const BROKEN: [what: string, text: string, standIn?: string][] = [
  ["a colon in a value of metadata", `${HEAD}  annotations:\n    d: Note: x\n${SPEC}`],
  ["a line without colon in metadata", `${HEAD}  foo\n${SPEC}`],
  ["a name that stands twice", `${HEAD}  name: p\n${SPEC}`],
  ["a bad value in braces of metadata", `${META}metadata: {name: p, labels: {x: @}}\n${SPEC}`],
  ["an open quote in metadata", `${HEAD}  annotations:\n    d: "open\n${SPEC}`],
  ["an open quote before the kind", HEAD.replace("novaedge", '"novaedge') + SPEC],
  ["an open bracket in metadata", `${META}metadata: {name: p\n${SPEC}`],
  [
    "an error inside targetRef",
    `${HEAD}spec:\n  targetRef:\n    kind: ProxyRoute\n    name: r\n    namespace: @x\n`,
  ],
  [
    "a key that stands twice in targetRef",
    `${HEAD}spec:\n  targetRef:\n    kind: ProxyRoute\n    kind: ProxyRoute\n    name: r\n`,
  ],
  [
    "a section that cannot be told",
    `${HEAD}spec:\n  targetRef: {kind: ProxyRoute, name: r, sectionName: *s}\n`,
  ],
  [
    "an error behind a section",
    `${HEAD}spec:\n  targetRef: {kind: ProxyRoute, name: r, sectionName: s}\n  x: @\n`,
    `${TOLD}/s`,
  ],
  [
    "an error in braces of spec",
    `${HEAD}spec: {targetRef: {kind: ProxyRoute, name: r}, allow: [10.0.0.0/8, @x]}\n`,
  ],
  [
    "an undefined alias in braces of spec",
    `${HEAD}spec: {\n  targetRef: {kind: ProxyRoute, name: r},\n  allow: [10.0.0.0/8, *all]\n  }\n`,
  ],
  [
    "JSON with a missing comma",
    '{"apiVersion":"novaedge.io/v1alpha1","kind":"ProxyPolicy","metadata":{"name":"p"},\n' +
    ' "spec":{"targetRef":{"kind":"ProxyRoute","name":"r"}\n "type":"x"}}\n',
  ],
  [
    "quoted keys",
    '"kind": ProxyPolicy\n"metadata": {name: p}\n"spec":\n' +
    '  "targetRef": {kind: ProxyRoute, name: r}\n  x: @\n',
  ],
  ["a spec that stands twice", `${HEAD}spec:\n  type: x\n${SPEC}`],
  ["spaces before colons", (HEAD + SPEC).replaceAll(":", " :") + "  x: @\n"],
  ["no space behind the colon of the kind", HEAD.replace("kind: ", "kind:") + SPEC],
  ["a kind in upper case", HEAD.replace("kind", "Kind") + SPEC],
  ["a spec that is one space off", `${HEAD} ${SPEC}`],
  ["a targetRef that is one space off", `${HEAD}spec:\n   type: x\n${SPEC.slice(6)}`],
  ["a tab before targetRef", HEAD + SPEC.replace("  ", "\t")],
  ["a foreign tag", HEAD + SPEC.replace("{", "!ref {") + "  type: x\n"],
  [
    "an alias as name",
    `${HEAD}  annotations: {t: &r api}\n${SPEC.replace("name: r", "name: *r")}  x: @\n`,
    "default/p → ProxyRoute/api",
  ],
  [
    "an alias as targetRef",
    `t: &t\n  kind: ProxyRoute\n  name: r\n${HEAD}spec:\n  targetRef: *t\n  x: @\n`,
  ],
  [
    "a merge key inside targetRef",
    `${HEAD}spec:\n  targetRef:\n    <<: {kind: ProxyRoute}\n    name: r\n`,
  ],
  [
    "values on lines of their own",
    `${HEAD}spec:\n  targetRef:\n    {kind: ProxyRoute,\n    name:\n     r}\n  x: @`,
  ],
  ["line ends of Windows", `${HEAD}${SPEC}  x: @\n`.replaceAll("\n", "\r\n")],
  [
    "a name that is a number",
    HEAD.replace("name: p", "name: 12") + SPEC,
    "default/12 → ProxyRoute/r",
  ],
  [
    "no name",
    `${META}metadata: {}\n${SPEC}`,
    "default/unnamed-policy-of-ProxyRoute-r → ProxyRoute/r",
  ],
  [
    "a namespace of its own",
    `${HEAD}  namespace: shop\n${SPEC}  x: @\n`,
    "shop/p → ProxyRoute/r",
  ],
  ["a namespace that cannot be told", `${HEAD}  namespace: @\n${SPEC}`, "unknown"],
  ["more characters than a document may have", `${HEAD}${SPEC}  x: '${"x".repeat(1_600_000)}'\n`],
  ["too many levels", `${HEAD}${SPEC}  x: ${"[".repeat(70)}\n`],
  ["a text behind its end", `${HEAD}${SPEC}...\nx: y\n`],
  ["two targets", `${HEAD}${SPEC}${SPEC.replace("name: r", "name: s")}`, "unknown"],
  ["a target without name", `${HEAD}spec:\n  targetRef: { kind: ProxyRoute }\n`, "unknown"],
  ["a target whose name cannot be told", HEAD + SPEC.replace("name: r", "name: *r"), "unknown"],
  ["no target", `${HEAD}spec: [\n`, "unknown"],
  ["a kind that is an explicit key", `? kind\n: ProxyPolicy\n? [x]\n`, "unknown"],
];

for (const [what, text, expected = TOLD] of BROKEN) {
  Deno.test(`bug: a broken policy left its target open: ${what}`, () => {
    assert.equal(standIn(text), expected);
  });
}

const OTHERS: [what: string, text: string][] = [
  ["a broken route", "kind: ProxyRoute\nmetadata: {name: a}\nspec: [\n"],
  [
    "a broken document with a policy as text",
    `kind: ConfigMap\ndata:\n  p: |\n${META.replace(/^/gm, "    ")}\n  y: @\n`,
  ],
  ["a comment about policies", "# a ProxyPolicy is elsewhere\nx: [\n"],
  ["a policy of another group", "apiVersion: example.com/v1\nkind: ProxyPolicy\nspec: {}\n"],
];

for (const [what, text] of OTHERS) {
  Deno.test(`nothing stands for ${what}`, () => assert.equal(standIn(text), "nothing"));
}

Deno.test("policies of a file with too many documents close their targets", () => {
  const rest = "---\na: 1\n".repeat(SOURCE_LIMIT.documents + 1);
  assert.equal(standIn(`${rest}---\n${HEAD}${SPEC}`), TOLD);
});

const SHAPES: [what: string, text: string][] = [
  ["fields", "x: y\n"],
  ["names of targets", "targetRef: { kind: a, name: b }\n"],
  ["open brackets", "a: [[{\n"],
  ["closed brackets", "a: {[]}\n"],
  ["quotes without end", 'a: "x\n'],
  ["quotes in brackets", '{"'],
  ["anchors", "a: &b *b\n"],
  ["words without end", "kind:&!"],
  ["spaces", "  "],
  ["levels", " a:\n  b:\n   c:\n"],
  ["block scalars", "a: |\n  x\n"],
  ["comments", " #"],
  ["keys on one line", "kind:"],
];

for (const [what, piece] of SHAPES) {
  Deno.test(`the cost of a broken policy is linear: ${what}`, () => {
    const steps = (length: number) => {
      const text = "kind: ProxyPolicy\n" + piece.repeat(length / piece.length);
      return characterSteps(() => brokenPolicy(text));
    };
    const [once, twice] = [steps(10_000), steps(20_000)];
    assert.ok(twice <= 2.1 * once + 100, `${once} became ${twice}`);
    assert.ok(twice <= 20 * 20_000, `${twice} looks at 20,000 characters`);
  });
}
