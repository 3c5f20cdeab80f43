/**
 * V8 settings of every process that reads routes: linear-time regular expressions, the mode that says
 * whether a pattern qualifies, and the fallback to it when the ordinary matcher backtracks too much.
 */
export const PATTERN_FLAGS = [
  "--enable-experimental-regexp-engine",
  "--enable-experimental-regexp-engine-on-excessive-backtracks",
] as const;

/**
 * V8 settings of a process with traffic workers. The tasks in deno.json repeat them; a test compares.
 * - A young generation of 8 MiB: measured, 4 cost a tenth more CPU per request and 16 cost memory only.
 */
export const V8_FLAGS = [
  ...PATTERN_FLAGS,
  "--max-semi-space-size=8",
  // An idle worker collects its garbage itself.
  "--expose-gc",
] as const;

/** The flags as one argument of the runtime. */
export const V8_ARGUMENT = `--v8-flags=${V8_FLAGS.join(",")}`;
