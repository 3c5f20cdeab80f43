/**
 * V8 settings of every process that reads routes: linear-time regular expressions, the mode that says
 * whether a pattern qualifies, and the fallback to it when the ordinary matcher backtracks too much.
 */
export const PATTERN_FLAGS = [
  "--enable-experimental-regexp-engine",
  "--enable-experimental-regexp-engine-on-excessive-backtracks",
] as const;

/**
 * A young generation of 8 MiB. Measured on traffic workers: 4 cost a tenth more CPU per request and 16 cost
 * memory only; on a controller with 5,000 routes V8's own choice costs 100 MB.
 */
export const YOUNG_FLAG = "--max-semi-space-size=8";

/** V8 settings of a controller. The tasks in deno.json repeat these and the next ones; a test compares. */
export const CONTROLLER_V8_FLAGS = [...PATTERN_FLAGS, YOUNG_FLAG] as const;

/** V8 settings of a process with traffic workers. */
export const V8_FLAGS = [
  ...CONTROLLER_V8_FLAGS,
  // An idle worker collects its garbage itself.
  "--expose-gc",
] as const;

/** The flags as one argument of the runtime. */
export const V8_ARGUMENT = `--v8-flags=${V8_FLAGS.join(",")}`;
