import type { ObjectKey, SourceChange } from "../translate/source_object.ts";
import type { HeldVersion } from "../translate/held_versions.ts";
import type { SourceProblem } from "./source_problem.ts";

/** What became of the changes that a sink took in. */
export interface Taken {
  /** Keys of the objects that translation looks for, of the kinds that are read by reference. */
  readonly wanted: ReadonlySet<string>;
  /** Objects whose newest version serves from now on. */
  readonly accepted: readonly ObjectKey[];
  /** Versions that are not served, by the key of their object. */
  readonly held: ReadonlyMap<string, HeldVersion>;
}

/** Who takes in what a source finds. */
export interface SourceSink {
  /** Takes in changes. */
  take(changes: readonly SourceChange[]): Taken;
  /** Something about an object changed that is not translated: its status, or the version it has there. */
  touched(key: ObjectKey): void;
  /** What was taken in is complete and may be served; these are the problems of the source. */
  publish(problems: readonly SourceProblem[]): void;
}

/** Where objects come from. */
export interface Source {
  /** What is read, for people. */
  readonly name: string;
  /** Whether everything was read completely, and nothing that restricts is withheld. */
  readonly synced: boolean;
  /** Reads and follows; resolves after the first look, which may not have been complete. */
  start(): Promise<void>;
  /** Looks at once for changes of which no event told. */
  lookAgain(): void;
  stop(): Promise<void>;
}
