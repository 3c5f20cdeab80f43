import type { Ledger } from "./ledger.ts";

/**
 * Milliseconds in which every request must have ended, however slow its backend: megabytes through a
 * window of a thousand bytes take half a minute on a busy machine.
 */
const PATIENCE = 90_000;

/** Waits for a request; one that does not end is a hang: it is reported and `kill` ends it. */
export async function watched<T>(
  ledger: Ledger,
  what: () => string,
  request: Promise<T>,
  kill: () => void,
): Promise<T> {
  const start = performance.now();
  const timer = setTimeout(() => {
    ledger.violate(`hang: ${what()}`);
    kill();
  }, PATIENCE);
  try {
    return await request;
  } finally {
    clearTimeout(timer);
    ledger.lasted(performance.now() - start, what);
  }
}
