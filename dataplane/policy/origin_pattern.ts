const ANY = /^[a-z0-9.:-]+$/;

/** A pattern of origins in which * stands for one or more characters of names and ports. */
export class OriginPattern {
  readonly #parts: readonly string[];

  /** @param pattern in lower case, with at least one * */
  constructor(pattern: string) {
    this.#parts = pattern.split("*");
  }

  /**
   * Whether an origin in lower case matches. Each part is looked for once, at its first place: a later
   * one could not match where that fails, because a * covers no part with other characters.
   */
  matches(origin: string): boolean {
    const parts = this.#parts;
    const last = parts.length - 1;
    if (!origin.startsWith(parts[0]) || !origin.endsWith(parts[last])) return false;
    const end = origin.length - parts[last].length;
    let at = parts[0].length;
    for (let i = 1; i <= last; i++) {
      const found = i === last ? end : origin.indexOf(parts[i], at + 1);
      if (found <= at || found > end || !ANY.test(origin.slice(at, found))) return false;
      at = found + parts[i].length;
    }
    return true;
  }
}
