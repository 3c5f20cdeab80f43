import { overLimit, SOURCE_LIMIT } from "../../source_limits.ts";
import type { TextCursor } from "./text_cursor.ts";

const QUOTE = "put a value that begins with * in quotes";

interface Anchor {
  value: unknown;
  /** Characters that an alias stands for; null while the node is being read. */
  characters: number | null;
}

/** A node with an anchor, while it is being read. */
export interface OpenAnchor {
  readonly anchor: Anchor;
  readonly start: number;
  readonly expanded: number;
}

/**
 * Anchors of a document. An alias shares the anchored value; the text that all aliases stand for is
 * bounded, as everything that walks the value walks it once for each alias.
 */
export class Anchors {
  readonly #anchors = new Map<string, Anchor>();
  #expanded = 0;

  /** Notes that the node at `start` has an anchor. @param name as "&name" */
  open(name: string, start: number): OpenAnchor {
    const anchor: Anchor = { value: undefined, characters: null };
    this.#anchors.set(name, anchor);
    return { anchor, start, expanded: this.#expanded };
  }

  /** Notes the value of the node, which ends at `end`. */
  close({ anchor, start, expanded }: OpenAnchor, value: unknown, end: number): void {
    anchor.value = value;
    anchor.characters = end - start + this.#expanded - expanded;
  }

  /** Returns the value that an alias stands for. */
  resolve(name: string, cursor: TextCursor, offset: number): unknown {
    const anchor = this.#anchors.get(name);
    if (anchor === undefined) {
      cursor.fail(`the alias has no anchor before it; ${QUOTE}`, offset);
    }
    const { characters, value } = anchor;
    if (characters === null) {
      cursor.fail("the alias stands inside its own anchor", offset);
    }
    this.#expanded += characters;
    if (this.#expanded > SOURCE_LIMIT.aliasCharacters) {
      cursor.fail(overLimit("the aliases stand for too much text", "aliasCharacters"), offset);
    }
    return value;
  }
}
