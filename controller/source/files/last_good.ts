import { Journal } from "../../../common/journal.ts";
import { objectKey } from "../../translate/source_object.ts";
import type { LastGood } from "./folder_state.ts";

/** The journal is rewritten when it has grown by this many bytes and by a factor of its live size. */
const SLACK = 4 * 1024 * 1024;
const GROWTH = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What changed of the accepted bodies. */
export interface GoodStep {
  readonly good: readonly LastGood[];
  /** Keys of objects that are not kept any more. */
  readonly forgotten: readonly string[];
}

/** The last accepted body of every object, on disk: what keeps serving after a restart beside a bad file. */
export class LastGoodFile {
  readonly #journal: Journal;
  readonly #bodies: Map<string, LastGood>;
  #rewrittenSize = 0;

  private constructor(journal: Journal, bodies: Map<string, LastGood>) {
    this.#journal = journal;
    this.#bodies = bodies;
  }

  static async open(path: string): Promise<LastGoodFile> {
    const { journal, records } = await Journal.open(path);
    const bodies = new Map<string, LastGood>();
    for (const record of records) {
      const entry = JSON.parse(decoder.decode(record)) as LastGood | { forget: string };
      if ("forget" in entry) bodies.delete(entry.forget);
      else bodies.set(objectKey(entry.key), entry);
    }
    return new LastGoodFile(journal, bodies);
  }

  values(): Iterable<LastGood> {
    return this.#bodies.values();
  }

  /** Records a step; resolves when it is on disk. */
  async record({ good, forgotten }: GoodStep): Promise<void> {
    if (good.length + forgotten.length === 0) return;
    for (const entry of good) this.#bodies.set(objectKey(entry.key), entry);
    for (const key of forgotten) this.#bodies.delete(key);
    if (this.#journal.size > SLACK + GROWTH * this.#rewrittenSize) {
      await this.#journal.rewrite(Array.from(this.#bodies.values(), encode));
      this.#rewrittenSize = this.#journal.size;
      return;
    }
    await this.#journal.append([
      ...good.map(encode),
      ...forgotten.map((forget) => encode({ forget })),
    ]);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}

function encode(entry: LastGood | { forget: string }): Uint8Array {
  return encoder.encode(JSON.stringify(entry));
}
