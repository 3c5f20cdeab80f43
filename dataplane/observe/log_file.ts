import type { Sink } from "./log_writer.ts";

/** Readable by the group, as log collectors are. */
const MODE = 0o640;

/**
 * A log file that is appended to. Another program may move it away and ask for it to be opened again, or it moves
 * itself away when it has grown: FILE.1 is the newest of the old ones.
 */
export class LogFile implements Sink {
  readonly #path: string;
  readonly #mostBytes: number;
  readonly #backups: number;
  #file: Deno.FsFile;
  #size: number;

  /**
   * @param mostBytes after which it is moved away, 0 for never
   * @param backups old files that are kept
   * @throws {Deno.errors.NotFound} and other errors of the file system
   */
  constructor(path: string, mostBytes: number, backups: number) {
    this.#path = path;
    this.#mostBytes = mostBytes;
    this.#backups = backups;
    this.#file = open(path);
    this.#size = this.#file.statSync().size;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#mostBytes > 0 && this.#size > 0 && this.#size + bytes.length > this.#mostBytes) {
      this.#rotate();
    }
    const written = await this.#file.write(bytes);
    this.#size += written;
    return written;
  }

  /** Goes on with a new file under the name. @throws {Deno.errors.NotFound} and others; the old one stays in use */
  reopen(): void {
    const next = open(this.#path);
    this.#file.close();
    this.#file = next;
    this.#size = next.statSync().size;
  }

  close(): void {
    this.#file.close();
  }

  #rotate(): void {
    try {
      for (let number = this.#backups - 1; number >= 1; number--) {
        move(this.#old(number), this.#old(number + 1));
      }
      if (this.#backups > 0) move(this.#path, this.#old(1));
      else this.#file.truncateSync(0);
      this.reopen();
    } catch {
      // A folder that cannot be written leaves the file as it is: lines are worth more than its size.
      this.#size = 0;
    }
  }

  #old(number: number): string {
    return `${this.#path}.${number}`;
  }
}

function open(path: string): Deno.FsFile {
  return Deno.openSync(path, { append: true, create: true, mode: MODE });
}

function move(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
