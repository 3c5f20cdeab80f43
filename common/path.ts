/** Why a request path is refused. */
export type PathRefusal = "bad_escape" | "nul" | "backslash" | "hidden_dot_segment";

/** The path that router, policies and backend see, or why there is none. */
export type CanonicalPath =
  | { readonly path: string; readonly refusal: null }
  | { readonly path: null; readonly refusal: PathRefusal };

/** Anything that makes a path differ from its canonical form. */
const NEEDS_WORK = /[%\\]|\/\.|\/\/|;/;
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
const ESCAPE = /%([0-9A-Fa-f]{2})?/g;
const SEPARATORS = /%2[fF]|%5[cC]|\\/;

const refuse = (refusal: PathRefusal): CanonicalPath => ({ path: null, refusal });

/** Whether `path` may be used as it is. */
export function isCanonical(path: string): boolean {
  return !NEEDS_WORK.test(path);
}

/**
 * One canonical form of an absolute path: unreserved characters decoded, the hexadecimal digits of other
 * escapes in upper case, dot segments removed; `%2F`, `%5C` and `;` stay and never separate. Refused: `%00`, bad escapes, a raw backslash, and a segment
 * that turns into a dot segment once `%2F`, `%5C` or `;params` are interpreted (RFC 3986 section 6.2.2).
 * `//` is kept: see `mergeSlashes`.
 */
export function canonicalPath(raw: string): CanonicalPath {
  if (isCanonical(raw)) return { path: raw, refusal: null };
  if (raw.includes("\\")) return refuse("backslash");
  let problem: PathRefusal | null = null;
  const decoded = raw.replace(ESCAPE, (whole, hex: string | undefined) => {
    if (hex === undefined) {
      problem = "bad_escape";
      return whole;
    }
    const code = parseInt(hex, 16);
    if (code === 0) problem ??= "nul";
    const character = String.fromCharCode(code);
    return UNRESERVED.test(character) ? character : whole.toUpperCase();
  });
  if (problem !== null) return refuse(problem);
  const out: string[] = [];
  const segments = decoded.split("/");
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i];
    const last = i === segments.length - 1;
    if (segment === "." || segment === "..") {
      if (segment === "..") out.pop();
      if (last) out.push("");
      continue;
    }
    for (const part of segment.split(SEPARATORS)) {
      const bare = part.split(";", 1)[0];
      const hidden = (bare === "." || bare === "..") && bare !== segment;
      if (hidden) return refuse("hidden_dot_segment");
    }
    out.push(segment);
  }
  return { path: `/${out.join("/")}`, refusal: null };
}

const REFUSALS: Readonly<Record<PathRefusal, string>> = {
  bad_escape: "has a % without two hexadecimal digits",
  nul: "has %00",
  backslash: "has a backslash",
  hidden_dot_segment: "has a segment that some would read as a dot segment",
};

/**
 * The form in which requests come to the router of a path that an owner wrote, to match it, or why no
 * request has such a path. What a path can have as an escape only may be written plainly.
 */
export function writtenPath(
  text: string,
): { readonly path: string } | { readonly problem: string } {
  const problem = (reason: string) => ({ problem: `"${text}" ${reason}` });
  if (!text.startsWith("/")) return problem("does not begin with /");
  if (/[?#]/.test(text)) return problem("has ? or #, which end a path");
  if (!text.isWellFormed()) return problem("is not well-formed Unicode");
  const { path, refusal } = canonicalPath(text.replace(/[^\x21-\x7e]/gu, encodeURIComponent));
  return path === null ? problem(REFUSALS[refusal]) : { path: mergeSlashes(path) };
}

/** What becomes of canonical paths with `%2F` or `%5C`. */
export type SlashRule = "keep" | "reject" | "redirect";

/**
 * The other ways in which backends read a canonical path: without the parameters of its segments
 * (`;name=value`), which many leave out before they look, alone or together with `%2F` and `%5C` as
 * separators. Empty for a path that reads the same everywhere.
 */
export function otherReadings(path: string): string[] {
  if (!path.includes(";")) return [];
  const bare = path.replace(/;[^/]*/g, "");
  const readings = [bare, unescapedSlashes(path).replace(/;[^/]*/g, "")]
    .map((reading) => mergeSlashes(reading));
  return readings[0] === readings[1] ? [readings[0]] : readings;
}

/** The same canonical path with slashes in place of `%2F` and `%5C`. */
export function unescapedSlashes(path: string): string {
  return path.replace(/%2F|%5C/g, "/");
}

/** The form used for matching only: runs of `/` count as one. */
export function mergeSlashes(path: string): string {
  return path.includes("//") ? path.replace(/\/{2,}/g, "/") : path;
}
