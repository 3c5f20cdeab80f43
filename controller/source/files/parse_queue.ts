import { messageOf } from "../../../common/errors.ts";
import type { ParsedFile } from "./parse_file.ts";

/** Who parses, and who takes what was parsed. */
export interface ParseQueueOptions {
  /** Parses a text of a file step by step. */
  readonly parse: (file: string, text: string) => Generator<void, ParsedFile>;
  /** Takes a parsed file; `current` tells whether no newer text of it has come. */
  readonly done: (file: string, parsed: ParsedFile, current: () => boolean) => Promise<void>;
  readonly failed: (file: string, reason: string) => void;
  /** Resolves after other work of the event loop had its chance. */
  readonly pause: () => Promise<void>;
}

/**
 * Files with much to parse, one after the other and in slices, so that other files are served between. A
 * newer text of a file replaces an older one, which is then not finished.
 */
export class ParseQueue {
  readonly #options: ParseQueueOptions;
  /** Texts to parse; each entry is an object of its own, by which a newer text is told apart. */
  readonly #waiting = new Map<string, { readonly text: string }>();
  #work: Promise<void> | null = null;

  constructor(options: ParseQueueOptions) {
    this.#options = options;
  }

  add(file: string, text: string): void {
    this.#waiting.delete(file);
    this.#waiting.set(file, { text });
    this.#work ??= this.#run();
  }

  /** Drops the text of a file. */
  remove(file: string): void {
    this.#waiting.delete(file);
  }

  /** Drops all texts; resolves when none is being parsed. */
  async stop(): Promise<void> {
    this.#waiting.clear();
    await this.#work;
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [file, entry] = next;
      const current = () => this.#waiting.get(file) === entry;
      try {
        const parsed = await this.#parse(file, entry.text, current);
        if (parsed !== null) await this.#options.done(file, parsed, current);
      } catch (error) {
        this.#options.failed(file, messageOf(error));
      }
      if (current()) this.#waiting.delete(file);
    }
    // In the same turn as the last look: a text that comes now begins anew.
    this.#work = null;
  }

  #next(): [string, { readonly text: string }] | undefined {
    return this.#waiting.entries().next().value;
  }

  /** Returns null when a newer text has come. */
  async #parse(file: string, text: string, current: () => boolean): Promise<ParsedFile | null> {
    const { parse, pause } = this.#options;
    const steps = parse(file, text);
    for (;;) {
      await pause();
      if (!current()) return null;
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }
}
