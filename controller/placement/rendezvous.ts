import { sha256 } from "../../common/hash.ts";

/**
 * Which of the candidates holds something: the one with the highest hash of both names, so that everybody
 * says the same and nothing moves but what a lost candidate held (Thaler and Ravishankar 1996). Null for none.
 */
export function holderOf(what: string, candidates: Iterable<string>): string | null {
  let holder: string | null = null;
  let highest = "";
  for (const candidate of candidates) {
    const hash = sha256(`${candidate}\n${what}`);
    if (hash > highest) [holder, highest] = [candidate, hash];
  }
  return holder;
}
