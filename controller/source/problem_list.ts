import { SOURCE_LIMIT } from "./source_limits.ts";
import type { SourceProblem } from "./source_problem.ts";

/** Problems of a source, of which the first of each file and the first of all are shown. */
export class ProblemList {
  readonly #shown: SourceProblem[] = [];
  /** How many problems each file has. */
  readonly #counts = new Map<string, number>();
  #total = 0;

  add(problem: SourceProblem): void {
    const count = (this.#counts.get(problem.file) ?? 0) + 1;
    this.#counts.set(problem.file, count);
    this.#total++;
    if (count <= SOURCE_LIMIT.problemsPerFile && this.#shown.length < SOURCE_LIMIT.problems) {
      this.#shown.push(problem);
    }
  }

  /** Returns them by file and line, with how many there are besides. */
  shown(): SourceProblem[] {
    const shown = [...this.#shown];
    let counted = 0;
    for (const [file, count] of this.#counts) {
      const more = count - SOURCE_LIMIT.problemsPerFile;
      if (more <= 0 || shown.length >= SOURCE_LIMIT.problems) continue;
      shown.push(summary(file, `${more.toLocaleString("en-US")} more problems in this file`));
      counted += more;
    }
    shown.sort((a, b) => a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line);
    const rest = this.#total - this.#shown.length - counted;
    if (rest > 0) shown.push(summary("", `${rest.toLocaleString("en-US")} more problems`));
    return shown;
  }
}

function summary(file: string, reason: string): SourceProblem {
  return { file, line: 0, path: "", object: "", reason, lastGoodServing: false };
}
