/**
 * Every limit of the sources: value, unit, why that value, and what a user does about it. Other
 * code reads the values through `SOURCE_LIMIT`; docs/source-limits.md is checked against the table.
 */
interface Row {
  readonly value: number;
  readonly unit: "bytes" | "characters" | "documents" | "levels" | "problems" | "values";
  readonly reason: string;
  /** What to do when the limit is reached. */
  readonly remedy: string;
}

const row = (value: number, unit: Row["unit"], reason: string, remedy: string): Row => ({
  value,
  unit,
  reason,
  remedy,
});

/** The table behind `SOURCE_LIMIT`. */
export const SOURCE_LIMITS = {
  fileBytes: row(
    16 * 1024 * 1024,
    "bytes",
    "5,000 documents of 3 KiB; a larger file is refused before it is read",
    "split the file",
  ),
  documents: row(
    5_000,
    "documents",
    "of one file; translation of 5,000 routes takes half a second",
    "split the file",
  ),
  documentCharacters: row(
    1536 * 1024,
    "characters",
    "an API server stores objects of at most 1.5 MiB",
    "make the object smaller",
  ),
  depth: row(
    64,
    "levels",
    "collections inside collections; schemas of the served kinds have at most 11, CustomResourceDefinitions 27",
    "nest less",
  ),
  aliasCharacters: row(
    256 * 1024,
    "characters",
    "text that all aliases of a document stand for, so that a short document stays a small object",
    "write the values out or use fewer aliases",
  ),
  nodesForAllProblems: row(
    20_000,
    "values",
    "of a document; of a larger document the first problem is reported alone",
    "mend the first problem, then look at the next",
  ),
  problemsPerFile: row(
    100,
    "problems",
    "further problems of the file are counted, so that one file cannot flood log and status",
    "mend the first problems, then look at the next",
  ),
  problems: row(
    1_000,
    "problems",
    "further problems of all files or objects are counted",
    "mend the first problems, then look at the next",
  ),
  nameCharacters: row(
    253,
    "characters",
    "names and namespaces in Kubernetes are DNS names",
    "choose a shorter name",
  ),
  sliceCharacters: row(
    256 * 1024,
    "characters",
    "parsed in one turn of the event loop, some 20 ms; changes of other files come between. A larger " +
      "document is a turn of its own: measured up to 0.3 s for a valid one, 1.2 s for one full of errors",
    "nothing: larger files are served later",
  ),
} as const satisfies Record<string, Row>;

/** Values of the table by name. */
export const SOURCE_LIMIT = Object.fromEntries(
  Object.entries(SOURCE_LIMITS).map(([name, { value }]) => [name, value]),
) as { readonly [K in keyof typeof SOURCE_LIMITS]: number };

/**
 * Returns the reason of a refusal: what was found, the limit and what to do.
 * @param found what exceeds the limit, "the file has 20,000 documents"
 */
export function overLimit(found: string, name: keyof typeof SOURCE_LIMITS): string {
  const { value, unit, remedy } = SOURCE_LIMITS[name];
  return `${found}; the limit is ${value.toLocaleString("en-US")} ${unit}: ${remedy}`;
}
