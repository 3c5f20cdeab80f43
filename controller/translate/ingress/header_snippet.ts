import { fieldProblem } from "../../../common/field_problem.ts";

/** What a snippet of nginx configuration changes about header fields. */
export interface SnippetEdits {
  readonly requestSet: readonly { readonly name: string; readonly value: string }[];
  readonly requestRemove: readonly string[];
  readonly responseSet: readonly { readonly name: string; readonly value: string }[];
  readonly responseAdd: readonly { readonly name: string; readonly value: string }[];
  readonly responseRemove: readonly string[];
}

/** A word, or one in quotes. */
const WORD =
  /\s*(?:#[^\n]*(?:\n|$)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"'{}#]+)|([;{}]))/y;

/**
 * Reads a snippet that does nothing but set header fields to fixed values, which most snippets do. Returns the reason
 * where it does anything else: configuration of another program is never taken on trust.
 */
export function headerSnippet(text: string): SnippetEdits | string {
  const edits = {
    requestSet: [] as { name: string; value: string }[],
    requestRemove: [] as string[],
    responseSet: [] as { name: string; value: string }[],
    responseAdd: [] as { name: string; value: string }[],
    responseRemove: [] as string[],
  };
  const statements = statementsOf(text);
  if (typeof statements === "string") return statements;
  for (const [directive, ...words] of statements) {
    const unserved = words.find((word) => word.includes("$"));
    if (unserved !== undefined) return `${directive}: the value "${unserved}" has variables`;
    switch (directive) {
      case "proxy_set_header":
      case "grpc_set_header": {
        const [name, value] = words;
        if (words.length !== 2) return `${directive} needs a name and a value`;
        if (value === "") edits.requestRemove.push(name);
        else edits.requestSet.push({ name, value });
        break;
      }
      case "add_header": {
        const [name, value, always] = words;
        if (words.length < 2 || words.length > 3 || (words.length === 3 && always !== "always")) {
          return "add_header needs a name and a value";
        }
        edits.responseAdd.push({ name, value });
        break;
      }
      case "more_set_headers":
        for (const word of words) {
          const colon = word.indexOf(":");
          if (colon < 1) return `more_set_headers: "${word}" is not name: value`;
          edits.responseSet.push({
            name: word.slice(0, colon).trim(),
            value: word.slice(colon + 1).trim(),
          });
        }
        break;
      case "more_clear_headers":
      case "proxy_hide_header": {
        const odd = words.find((word) => word.includes("*") || word.startsWith("-"));
        if (odd !== undefined) return `${directive}: "${odd}" is not the name of one field`;
        edits.responseRemove.push(...words);
        break;
      }
      default:
        return `${directive} is not served`;
    }
  }
  for (const { name, value } of [...edits.requestSet, ...edits.responseSet, ...edits.responseAdd]) {
    const problem = fieldProblem(name, value);
    if (problem !== null) return problem;
  }
  for (const name of [...edits.requestRemove, ...edits.responseRemove]) {
    const problem = fieldProblem(name);
    if (problem !== null) return problem;
  }
  return edits;
}

/** The words of each statement; a reason where there is a block, or an end is missing. */
function statementsOf(text: string): string[][] | string {
  const statements: string[][] = [];
  let words: string[] = [];
  const whole = text.trim();
  WORD.lastIndex = 0;
  while (WORD.lastIndex < whole.length) {
    const found = WORD.exec(whole);
    if (found === null) return "it cannot be read";
    const [, double, single, plain, mark] = found;
    if (mark === "{" || mark === "}") return `blocks (${words.join(" ")} {) are not served`;
    if (mark === ";") {
      if (words.length > 0) statements.push(words);
      words = [];
      continue;
    }
    const word = double?.replace(/\\(.)/g, "$1") ?? single?.replace(/\\(.)/g, "$1") ?? plain;
    if (word !== undefined) words.push(word);
  }
  return words.length === 0 ? statements : `"${words[0]}" does not end with ;`;
}
