import { BlockReader } from "./block_reader.ts";
import { lineAt } from "./line_index.ts";
import { NodeReader } from "./node_reader.ts";
import type { Places } from "./places.ts";
import { YamlError } from "./text_cursor.ts";

/** What a document says. */
export interface YamlValue {
  readonly value: unknown;
  /** How many values it has, itself included. */
  readonly nodes: number;
}

/** Why a document is no YAML, or none that is served. */
export interface YamlProblem {
  readonly reason: string;
  /** Line of the place, counted from 0. */
  readonly line: number;
}

/** A line that a version control system leaves where two changes meet. */
const CONFLICT = /^(?:<{7}|={7}|>{7})(?:[ \t]|$)/m;
const CONFLICT_REASON =
  "a mark of a merge conflict (<<<<<<<, =======, >>>>>>>); choose one side and remove the marks";

/**
 * Parses one document of YAML 1.2 (core schema) in time and memory linear in its length. Not served, and
 * refused: directives but %YAML, tags beyond the core schema, merge keys, and lists and maps as keys.
 * @param text of one document, without the marks between documents
 * @param places gets the offset of every field and item
 */
export function parseYaml(text: string, places?: Places): YamlValue | YamlProblem {
  const feeds = lineFeeds(text);
  const reader = new NodeReader(feeds, places ?? null);
  try {
    const value = new BlockReader(reader).document();
    return { value, nodes: reader.nodes };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const conflict = feeds.search(CONFLICT);
    if (conflict >= 0) return { reason: CONFLICT_REASON, line: lineAt(feeds, conflict) };
    return { reason: error.reason, line: lineAt(feeds, error.offset) };
  }
}

/** Returns a text whose lines end in line feeds alone (YAML 1.2.2 section 5.4). */
export function lineFeeds(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}
