/**
 * Keeps a fault of our own code within the connection whose data caused it: an exception that left a
 * callback would end the worker with the connections of all other clients.
 */

/** Part of a connection or of a request. */
export interface Contained {
  /** Ends what the object is part of, after an exception in one of its callbacks. */
  onFault(): void;
}

/**
 * Where faults are reported. A thread that serves traffic counts and logs them; anywhere else a fault
 * stays what it was, an uncaught exception. `what` says what became of it; without it, its connection was closed.
 */
export const faults: { report(error: unknown, what?: string): void } = {
  report(error) {
    queueMicrotask(() => {
      throw error;
    });
  },
};

/** Reports an exception of one of `part`'s callbacks and ends `part`; a second fault does not escape either. */
export function contain(error: unknown, part: Contained): void {
  faults.report(error);
  try {
    part.onFault();
  } catch (again) {
    faults.report(again);
  }
}

/** Runs a callback of `part` with its faults contained. */
export function contained(part: Contained, run: () => void): void {
  try {
    run();
  } catch (error) {
    contain(error, part);
  }
}
