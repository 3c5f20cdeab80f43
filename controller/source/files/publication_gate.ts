import { objectKey, type SourceChange } from "../../translate/source_object.ts";
import type { SourceSink } from "../source.ts";
import type { SourceProblem } from "../source_problem.ts";

/** Hands changes to a sink, and keeps them back while nothing new may be served. */
export class PublicationGate {
  readonly #sink: SourceSink;
  /** Changes that were not handed on, the last of each object. */
  readonly #waiting = new Map<string, SourceChange>();
  #published = false;

  constructor(sink: SourceSink) {
    this.#sink = sink;
  }

  /**
   * Hands on changes with those that waited. Withheld, only the problems are published; before the first
   * publication, nothing is: an agent would take it for a complete configuration.
   */
  handOn(
    changes: readonly SourceChange[],
    problems: SourceProblem[],
    withheld: boolean,
  ): void {
    for (const change of changes) this.#waiting.set(objectKey(change.key), change);
    if (withheld && !this.#published) return;
    this.#published = true;
    this.#sink.take(withheld ? [] : [...this.#waiting.values()], problems);
    if (!withheld) this.#waiting.clear();
    this.#sink.publish();
  }
}
