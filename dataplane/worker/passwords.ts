import { Worker } from "node:worker_threads";

/** Passwords that may wait; each takes up to a second. */
const QUEUE = 100;

type Done = (right: boolean | null) => void;

/** Checks passwords on a thread of its own, which starts with the first of them. */
export class Passwords {
  #worker: Worker | null = null;
  readonly #waiting = new Map<number, Done>();
  #next = 1;

  /** @param done gets null when too many wait */
  check(password: string, hash: string, done: Done): void {
    if (this.#waiting.size >= QUEUE) {
      done(null);
      return;
    }
    const id = this.#next++;
    this.#waiting.set(id, done);
    this.#worker ??= this.#start();
    this.#worker.postMessage({ id, password, hash });
  }

  async stop(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL("./password_worker.ts", import.meta.url));
    worker.on("message", ({ id, right }: { id: number; right: boolean }) => {
      this.#waiting.get(id)?.(right);
      this.#waiting.delete(id);
    });
    worker.on("error", () => {
      this.#worker = null;
      for (const done of this.#waiting.values()) done(null);
      this.#waiting.clear();
    });
    return worker;
  }
}
