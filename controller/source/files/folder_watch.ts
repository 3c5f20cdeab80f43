import { messageOf } from "../../../common/errors.ts";
import type { Logger } from "../../../common/log.ts";

/** Follows the events of a folder, and of another one that takes its place. */
export class FolderWatch {
  readonly #directory: string;
  readonly #onEvent: (event: Deno.FsEvent) => void;
  readonly #log: Logger;
  #watcher: Deno.FsWatcher | null = null;
  /** Tells the folder that is watched from others of its name. */
  #identity = "";
  #stopped = false;

  constructor(directory: string, onEvent: (event: Deno.FsEvent) => void, log: Logger) {
    this.#directory = directory;
    this.#onEvent = onEvent;
    this.#log = log;
  }

  /** Watches the folder that is there now; events of one that was removed would never come again. */
  async renew(): Promise<void> {
    const info = await Deno.stat(this.#directory).catch(() => null);
    const identity = info === null ? "" : `${info.dev}:${info.ino}:${info.birthtime?.getTime()}`;
    if (this.#watcher !== null) {
      if (identity === this.#identity) return;
      this.#close();
      // The runtime (2.9.3) ends a watch in a turn of its own; one begun before hears nothing.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    if (info === null || this.#stopped) return;
    try {
      this.#watcher = Deno.watchFs(this.#directory, { recursive: true });
    } catch {
      // Looking at the folder says what is wrong with it; watching starts when it is there.
      return;
    }
    this.#identity = identity;
    void this.#follow(this.#watcher);
  }

  /** Ends for good, also what `renew` is about to begin. */
  stop(): void {
    this.#stopped = true;
    this.#close();
  }

  #close(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const event of watcher) {
        // A folder made next may have its number.
        if (event.kind === "remove" && event.paths.includes(this.#directory)) this.#identity = "";
        this.#onEvent(event);
      }
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, "watching the resources failed; polling instead");
    }
    if (this.#watcher === watcher) this.#watcher = null;
  }
}
