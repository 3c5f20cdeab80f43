/** A problem of the source, as the error list shows it. */
export interface SourceProblem {
  readonly file: string;
  readonly line: number;
  readonly path: string;
  /** "Kind/namespace/name", "" when it cannot be told. */
  readonly object: string;
  readonly reason: string;
  readonly lastGoodServing: boolean;
}
