/** Codings that answers can have, by their names of HTTP. */
export const CODINGS = ["gzip", "br", "zstd"] as const;

export type Coding = typeof CODINGS[number];

/** Which answers a listener compresses. */
export interface Compression {
  /** The preferred first. */
  readonly codings: readonly Coding[];
  readonly level: number;
  /** Bytes of the smallest body; shorter ones would hardly shrink. */
  readonly minSize: number;
  /** Whether a media type, in lower case and without parameters, is compressed. */
  covers(type: string): boolean;
}

/** Types that shrink; what is compressed already is not among them. */
const STANDARD_TYPES = [
  ...["text/*", "application/json", "application/javascript", "application/xml"],
  ...["application/*+json", "application/*+xml", "application/wasm", "application/x-ndjson"],
  ...["image/svg+xml", "font/ttf", "font/otf", "application/manifest+json"],
];
/** Each event must reach the client when it happens. */
const NEVER = "text/event-stream";

/**
 * @param types media types with *; the usual ones when empty
 * @param excluded types that are not, although `types` has them
 */
export function compression(
  codings: readonly Coding[],
  level: number,
  minSize: number,
  types: readonly string[],
  excluded: readonly string[],
): Compression {
  const wanted = (types.length === 0 ? STANDARD_TYPES : types).map(pattern);
  const unwanted = [NEVER, ...excluded].map(pattern);
  const memo = new Map<string, boolean>();
  return {
    codings,
    level,
    minSize,
    covers(type) {
      let covered = memo.get(type);
      if (covered === undefined) {
        covered = wanted.some((one) => one.test(type)) && !unwanted.some((one) => one.test(type));
        if (memo.size >= MEMO) memo.clear();
        memo.set(type, covered);
      }
      return covered;
    },
  };
}

/** Types remembered with their answer; more start over. */
const MEMO = 256;

function pattern(type: string): RegExp {
  const parts = type.toLowerCase().split("*").map((part) =>
    part.replace(/[.+?^${}()|[\]\\/]/g, "\\$&")
  );
  return new RegExp(`^${parts.join(".*")}$`);
}
