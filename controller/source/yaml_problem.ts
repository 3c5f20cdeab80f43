import type { YAMLError } from "yaml";

/** Texts instead of messages that quote the document, by the parser's error code. */
const WITHOUT_QUOTE: Readonly<Record<string, string>> = {
  BAD_DIRECTIVE: "Unknown directive",
  BAD_DQ_ESCAPE: "Invalid escape sequence",
  IMPOSSIBLE: "Not a YAML document",
  TAG_RESOLVE_FAILED: "Unresolved tag",
};

/**
 * Returns why a text is not YAML, without quoting it: it may be a Secret. The parser's own messages end with
 * the source line, and some quote a token.
 */
export function yamlProblem(error: YAMLError): string {
  return WITHOUT_QUOTE[error.code] ?? withoutQuote(error.message);
}

/** Returns why a parsed document has no value, without quoting names from it. */
export function valueProblem(error: unknown): string {
  return withoutQuote(error instanceof Error ? error.message : String(error));
}

/** Returns the first line of a message up to its quote, without line and column. */
function withoutQuote(message: string): string {
  return message.split("\n", 1)[0].replace(/ at line \d+, column \d+:?$/, "").split(": ", 1)[0]
    .replace(/:$/, "");
}
