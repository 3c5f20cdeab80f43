import type { ObjectKey, SourceChange } from "../translate/source_object.ts";
import type { SourceProblem } from "./source_problem.ts";

/** Who takes in what a source finds. */
export interface SourceSink {
  /**
   * Takes in changes.
   * @returns keys of the objects that translation looks for, of the kinds that are read by reference
   */
  take(changes: SourceChange[], problems: SourceProblem[]): ReadonlySet<string>;
  /** Something about an object changed that is not translated: its status, or the version it has there. */
  touched(key: ObjectKey): void;
  /** What was taken in is complete and may be served. */
  publish(): void;
}

/** Where objects come from. */
export interface Source {
  /** What is read, for people. */
  readonly name: string;
  /** Whether everything was read completely, and nothing that restricts is withheld. */
  readonly synced: boolean;
  /** Reads and follows; resolves after the first look, which may not have been complete. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
