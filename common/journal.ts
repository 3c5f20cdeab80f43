import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { NovaEdgeError } from "./errors.ts";

/** Bytes before each record: its length (4) and the start of its SHA-256 (8). */
const HEADER = 12;
const CHECK = 8;
const MODE = 0o600;

/**
 * A file of records that survives a crash at any point: each record carries a checksum and is appended
 * whole; what follows the last intact record is cut off at the next start. `rewrite` replaces the file in
 * one atomic rename. Mode 0600.
 */
export class Journal {
  readonly #path: string;
  #file: Deno.FsFile | null = null;
  #size = 0;
  #turn: Promise<void> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
  }

  /** Bytes appended since the last rewrite, and those it wrote. */
  get size(): number {
    return this.#size;
  }

  /** Opens a journal and reads its intact records. */
  static async open(
    path: string,
  ): Promise<{ journal: Journal; records: Uint8Array[]; damaged: boolean }> {
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const journal = new Journal(path);
    let bytes: Uint8Array = new Uint8Array(0);
    try {
      bytes = await Deno.readFile(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        throw new NovaEdgeError("JOURNAL", `cannot read ${path}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
    const { records, end } = readRecords(bytes);
    journal.#file = await Deno.open(path, { create: true, write: true, mode: MODE });
    await Deno.chmod(path, MODE);
    await journal.#file.truncate(end);
    await journal.#file.seek(end, Deno.SeekMode.Start);
    journal.#size = end;
    return { journal, records, damaged: end !== bytes.length };
  }

  /** Appends records; resolves when they are written. */
  append(records: readonly Uint8Array[]): Promise<void> {
    const frames = concat(records.map(frame));
    return this.#next(async () => {
      try {
        await writeAll(this.#file!, frames);
        this.#size += frames.length;
      } catch (error) {
        // A torn record would hide everything appended after it.
        await this.#file!.truncate(this.#size);
        await this.#file!.seek(this.#size, Deno.SeekMode.Start);
        throw error;
      }
    });
  }

  /** Replaces everything by these records. */
  rewrite(records: readonly Uint8Array[]): Promise<void> {
    const frames = concat(records.map(frame));
    return this.#next(async () => {
      const temporary = `${this.#path}.new`;
      const file = await Deno.open(temporary, {
        create: true,
        write: true,
        truncate: true,
        mode: MODE,
      });
      await writeAll(file, frames);
      await file.sync();
      await Deno.rename(temporary, this.#path);
      this.#file!.close();
      this.#file = file;
      this.#size = frames.length;
    });
  }

  /** Waits for what is being written and closes the file. */
  close(): Promise<void> {
    return this.#next(() => {
      this.#file?.close();
      this.#file = null;
      return Promise.resolve();
    });
  }

  #next(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

function checksum(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest().subarray(0, CHECK);
}

function frame(record: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER + record.length);
  new DataView(out.buffer).setUint32(0, record.length);
  out.set(checksum(record), 4);
  out.set(record, HEADER);
  return out;
}

/** The intact records at the start of `bytes`, and where they end. */
export function readRecords(bytes: Uint8Array): { records: Uint8Array[]; end: number } {
  const records: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + HEADER + length;
    if (end > bytes.length) break;
    const record = bytes.subarray(at + HEADER, end);
    const expected = checksum(record);
    if (!expected.every((byte, i) => byte === bytes[at + 4 + i])) break;
    records.push(record);
    at = end;
  }
  return { records, end: at };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
