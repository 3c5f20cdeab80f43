import { objectKey, type SourceChange } from "../../translate/source_object.ts";
import type { SourceSink, Taken } from "../source.ts";
import type { SourceProblem } from "../source_problem.ts";

/** Hands changes to a sink, and keeps them back while nothing new may be served. */
export class PublicationGate {
  readonly #sink: SourceSink;
  /** Changes that were not handed on, the last of each object. */
  readonly #waiting = new Map<string, SourceChange>();
  #remembered: readonly SourceChange[] = [];
  #open = false;

  constructor(sink: SourceSink) {
    this.#sink = sink;
  }

  /** Sets the versions that served before the start, which come before all changes. */
  remember(changes: readonly SourceChange[]): void {
    this.#remembered = changes;
  }

  /** Hands on changes with those that waited; null while they are withheld. */
  take(changes: readonly SourceChange[], withheld: boolean): Taken | null {
    for (const change of changes) this.#waiting.set(objectKey(change.key), change);
    if (withheld) return null;
    this.#open = true;
    if (this.#remembered.length > 0) this.#sink.take(this.#remembered);
    this.#remembered = [];
    const taken = this.#sink.take([...this.#waiting.values()]);
    this.#waiting.clear();
    return taken;
  }

  /**
   * Publishes what was handed on, with the problems. Before the first of it nothing is published: an agent would
   * take it for a complete configuration.
   */
  publish(problems: readonly SourceProblem[]): void {
    if (this.#open) this.#sink.publish(problems);
  }
}
