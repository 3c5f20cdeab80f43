/** A pattern that cannot be used; the message names the place and the reason. */
export class PatternError extends Error {
  readonly code = "PATTERN";
}

/**
 * A pattern anchored at both ends whose matching time is linear in its input. The engine's linear-time
 * mode (flag `l`) decides whether a pattern qualifies; what qualifies runs on the ordinary, faster
 * matcher, which falls back to the linear one when it backtracks too much
 * (--enable-experimental-regexp-engine-on-excessive-backtracks).
 * @throws {PatternError} naming the place
 */
export function linear(source: string, place: string): RegExp {
  return qualified(source, `^(?:${source})$`, place);
}

/**
 * The same for a pattern that is found anywhere.
 * @throws {PatternError} naming the place
 */
export function linearSearch(source: string, place: string): RegExp {
  return qualified(source, source, place);
}

/** Why a pattern cannot be used, with its place; "" when it can. */
export function linearProblem(source: string, place: string): string {
  try {
    linear(source, place);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

function qualified(source: string, pattern: string, place: string): RegExp {
  try {
    new RegExp(source);
    new RegExp(pattern);
  } catch (error) {
    throw new PatternError(`${place}: ${(error as Error).message}`, { cause: error });
  }
  try {
    new RegExp(pattern, "l");
  } catch (error) {
    throw new PatternError(`${place}: /${source}/ cannot be matched in linear time`, {
      cause: error,
    });
  }
  return new RegExp(pattern);
}
