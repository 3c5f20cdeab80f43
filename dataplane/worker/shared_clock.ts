/** Milliseconds since 1970 at the zero of this thread's monotonic clock, as the system tells now. */
export function clockOrigin(): number {
  return Date.now() - performance.now();
}

/**
 * A monotonic clock that agrees with that of another thread, whatever the system's time does later.
 * @param origin `clockOrigin()` of the other thread, taken when this one was started
 * @param now reads this thread's clock
 */
export function sharedClock(
  origin: number,
  now: () => number = () => performance.now(),
): () => number {
  const offset = clockOrigin() - origin;
  return () => now() + offset;
}
