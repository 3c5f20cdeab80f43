/**
 * V8 settings of a process with traffic workers. The tasks in deno.json repeat them; a test compares.
 * - Linear-time regular expressions: the mode that says whether a pattern qualifies, and the fallback to
 *   it when the ordinary matcher backtracks too much.
 * - A young generation of 8 MiB: measured, 4 cost a tenth more CPU per request and 16 cost memory only.
 */
export const V8_FLAGS = [
  "--enable-experimental-regexp-engine",
  "--enable-experimental-regexp-engine-on-excessive-backtracks",
  "--max-semi-space-size=8",
  // An idle worker collects its garbage itself.
  "--expose-gc",
] as const;

/** The flags as one argument of the runtime. */
export const V8_ARGUMENT = `--v8-flags=${V8_FLAGS.join(",")}`;
