import assert from "node:assert/strict";
import fc from "fast-check";
import { parse, parseDocument, YAMLParseError } from "yaml";
import { parseObject } from "./files/parse.ts";
import { valueProblem, yamlProblem } from "./yaml_problem.ts";

/** A Secret whose value breaks the document in the ways that YAML knows. */
const BROKEN: readonly ((secret: string) => string)[] = [
  (secret) => `password: *${secret}`,
  (secret) => `password: |${secret}`,
  (secret) => `password: "\\q${secret}`,
  (secret) => `password: "a" ${secret}`,
  (secret) => `password: !<${secret}`,
  (secret) => `password: !${secret}! x`,
  (secret) => `password: @${secret}`,
  (secret) => `password: [${secret}`,
  (secret) => `password: { ${secret}: ${secret}, ] }`,
  (secret) => `password: ${secret}\n ${secret}: x\n`,
  (secret) => `${secret}: a\n  ${secret}: b\n`,
  (secret) => `password: &${secret} *${secret}`,
  (secret) => `password: 'a\n${secret}`,
  (secret) => `\tpassword: ${secret}`,
  (secret) => `? ${secret}\n : : ${secret}`,
  (secret) => `password: %${secret}`,
  (secret) => `<<: *${secret}`,
];

const secret = fc.string({
  unit: fc.constantFrom(..."abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"),
  minLength: 6,
  maxLength: 24,
});

Deno.test("property: a problem in a Secret's YAML is reported without the secret", () => {
  let broken = 0;
  fc.assert(
    fc.property(secret, fc.constantFrom(...BROKEN), (value, document) => {
      const text = `apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData:\n  ${
        document(value)
      }\n`;
      const { problems } = parseObject({ text, line: 1 });
      if (problems.length > 0) broken++;
      for (const { reason } of problems) {
        assert.ok(!reason.includes(value), reason);
        assert.notEqual(reason, "");
      }
      for (const error of parseDocument(text).errors) {
        assert.ok(!yamlProblem(error).includes(value), yamlProblem(error));
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(broken > 300, `${broken} documents were broken`);
});

Deno.test("a problem of YAML is one line that says what is wrong", () => {
  const told = (text: string) => {
    try {
      parse(text);
    } catch (error) {
      return error instanceof YAMLParseError ? yamlProblem(error) : valueProblem(error);
    }
    return "";
  };
  assert.equal(
    told("a: [b"),
    "Flow sequence in block collection must be sufficiently indented and end with a ]",
  );
  assert.equal(told('a: "\\q"'), "Invalid escape sequence");
  assert.equal(told("a: |x"), "Block scalar header includes extra characters");
  assert.equal(told("a: 1\na: 2"), "Map keys must be unique");
  assert.equal(told("a: *b"), "Unresolved alias (the anchor must be set before the alias)");
});
