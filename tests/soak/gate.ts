import { pause } from "./dice.ts";

/** Lets requests through; while it is closed none begins, so that memory can be measured at rest. */
export class Gate {
  busy = 0;
  #open = true;
  #stopped = false;
  #waiting: (() => void)[] = [];

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Waits for the gate; false when no more requests are wanted. */
  async enter(): Promise<boolean> {
    while (!this.#open && !this.#stopped) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#stopped) return false;
    this.busy++;
    return true;
  }

  leave(): void {
    this.busy--;
  }

  open(): void {
    this.#open = true;
    this.#wake();
  }

  /** Closes the gate and waits for the requests that are under way. */
  async close(): Promise<void> {
    this.#open = false;
    while (this.busy > 0) await pause(10);
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
