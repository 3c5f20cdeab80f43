/**
 * Counts the callbacks of this worker that have begun and not ended. When memory runs out, the runtime
 * may cut a callback off and go on with the next event as if nothing had happened; between two events the
 * count must be 0, so a ticker that finds another value knows that the worker's state cannot be trusted.
 */
export const turn = { open: 0 };
