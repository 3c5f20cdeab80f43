import { canonicalPath } from "../../common/path.ts";

/** How a rule changes a path. */
export type PathModifier =
  | { readonly kind: "full"; readonly value: string }
  /** Replaces the prefix that the rule matched. */
  | { readonly kind: "prefix"; readonly value: string }
  /** Replaces what the pattern finds first. */
  | { readonly kind: "regex"; readonly value: string; readonly pattern: RegExp };

/**
 * The changed path, canonical again; null when the change makes one that no request may have.
 * @param path canonical, with `//` merged
 * @param matched prefix that the rule matched, "/" for others
 */
export function modifyPath(modifier: PathModifier, path: string, matched: string): string | null {
  const changed = canonicalPath(absolute(replaced(modifier, path, matched)));
  return changed.path;
}

function replaced(modifier: PathModifier, path: string, matched: string): string {
  const { kind, value } = modifier;
  if (kind === "full") return value;
  if (kind === "regex") return path.replace(modifier.pattern, value);
  // Whole segments are replaced: one slash stands between what is new and what is left.
  const prefix = matched.replace(/\/+$/, "");
  const rest = path.slice(prefix.length);
  if (rest === "" || rest === "/") {
    return value === "" ? "/" : rest === "/" && !value.endsWith("/") ? `${value}/` : value;
  }
  return `${value.replace(/\/+$/, "")}${rest}`;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}
