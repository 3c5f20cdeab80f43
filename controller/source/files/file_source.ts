import { join, relative, sep } from "node:path";
import { messageOf } from "../../../common/errors.ts";
import type { Logger } from "../../../common/log.ts";
import type { SourceChange } from "../../translate/source_object.ts";
import type { Source, SourceSink } from "../source.ts";
import type { SourceProblem } from "../source_problem.ts";
import { SOURCE_LIMIT } from "../source_limits.ts";
import { type FileText, FolderState, type LastGood } from "./folder_state.ts";
import type { LastGoodFile } from "./last_good.ts";
import type { ParsedFile } from "./parse_file.ts";
import { ParseQueue } from "./parse_queue.ts";
import { FolderWatch } from "./folder_watch.ts";
import { PublicationGate } from "./publication_gate.ts";
import { readFile, RESOURCE_FILE } from "./read_file.ts";

/** Milliseconds a file must be quiet before a write in place that shortens it, or its removal, counts. */
const SETTLE = 100;
/** Milliseconds between two comparisons of the folder with what is known, for changes without events. */
const RESCAN = 10_000;
/** Milliseconds between two tries while the folder cannot be read or is empty. */
const RETRY = 1_000;

/** Identity and age of a file's content as far as the file system tells. */
type Stamp = string;

/** Resolves when timers and sockets have had their turn. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Watches a folder of YAML and JSON files, subfolders too. A rename counts at once; a write in place counts when
 * the writer closes the file. Names that begin with a dot are passed over, so that each file of a mounted
 * ConfigMap counts once; its `..data` swap is followed. A folder that vanishes or empties is an error and
 * removes nothing.
 */
export class FileSource implements Source {
  readonly #directory: string;
  readonly #gate: PublicationGate;
  readonly #lastGood: LastGoodFile | null;
  readonly #log: Logger;
  readonly #state: FolderState;
  /** Texts that take long; all others are parsed at once. */
  readonly #long: ParseQueue;
  readonly #stamps = new Map<string, Stamp>();
  /** Files to look at, with the time before which a shortened text or a removal waits. */
  readonly #due = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rescanTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #watch: FolderWatch;
  #folderProblem = "";
  #reported = "";
  #synced = false;
  #stopped = false;
  #comparing: Promise<void> | null = null;
  #compareAgain = false;
  #turn: Promise<void> = Promise.resolve();
  /** Bodies that were accepted and are not on disk yet. */
  readonly #good: LastGood[] = [];

  constructor(
    directory: string,
    sink: SourceSink,
    lastGood: LastGoodFile | null,
    log: Logger,
  ) {
    this.#directory = directory;
    this.#gate = new PublicationGate(sink);
    this.#lastGood = lastGood;
    this.#log = log;
    this.#watch = new FolderWatch(directory, (event) => this.#onEvent(event), log);
    this.#state = new FolderState(lastGood?.values(), () => new Date().toISOString());
    this.#long = new ParseQueue({
      parse: (file, text) => this.#state.parse(file, text),
      done: (file, parsed, current) =>
        this.#run(async () => {
          if (current()) await this.#take([[file, parsed]]);
        }),
      failed: (file, error) => this.#log.error({ file, error }, "file not parsed"),
      pause,
    });
  }

  get name(): string {
    return this.#directory;
  }

  /** Whether the folder was read completely at least once, and nothing that restricts is withheld. */
  get synced(): boolean {
    return this.#synced && !this.#state.withheld;
  }

  /** Reads the folder and starts watching; returns after the first look, synced or not. */
  async start(): Promise<void> {
    await this.#compare();
    this.#scheduleRescan();
  }

  lookAgain(): void {
    this.#compareSoon();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#rescanTimer);
    this.#watch.stop();
    await this.#comparing;
    await this.#long.stop();
    await this.#turn;
    await this.#lastGood?.close();
  }

  #run(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work).catch((error) => {
      this.#log.error({ error: messageOf(error) }, "reading the resources failed");
    });
    return this.#turn;
  }

  #onEvent(event: Deno.FsEvent): void {
    if (event.flag === "rescan") {
      this.#compareSoon();
      return;
    }
    for (const path of event.paths) {
      const file = relative(this.#directory, path);
      const hidden = file.split(sep).some((part) => part.startsWith("."));
      if (hidden) {
        // The swap of a mounted ConfigMap; everything else hidden is an editor's own business.
        if (event.kind === "rename" && file.endsWith("..data")) {
          this.#compareSoon();
        }
      } else if (!RESOURCE_FILE.test(file)) this.#compareSoon();
      else if (event.kind === "rename") this.#look(file, 0);
      else if (event.kind === "access") this.#look(file, SETTLE);
      else this.#due.set(file, performance.now() + SETTLE);
    }
    this.#schedule();
  }

  /** Looks at a file now; what it would remove waits until it has been quiet for `settle`. */
  #look(file: string, settle: number): void {
    this.#due.set(file, performance.now() + settle);
    void this.#run(() => this.#read([file], settle === 0));
  }

  /** Looks again at files that have been quiet long enough. */
  #schedule(): void {
    if (this.#due.size === 0 || this.#stopped) return;
    let next = Infinity;
    for (const time of this.#due.values()) next = Math.min(next, time);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const now = performance.now();
      const ready = [...this.#due].filter(([, time]) => time <= now).map(([file]) => file);
      for (const file of ready) this.#due.delete(file);
      if (ready.length > 0) void this.#run(() => this.#read(ready, true));
      this.#schedule();
    }, Math.max(0, next - performance.now()) + 1);
  }

  /** Compares once more, after the comparison that may be under way. */
  #compareSoon(): void {
    if (this.#comparing !== null) {
      this.#compareAgain = true;
      return;
    }
    this.#comparing = this.#compare().finally(() => {
      this.#comparing = null;
      if (!this.#compareAgain || this.#stopped) return;
      this.#compareAgain = false;
      this.#compareSoon();
    });
  }

  #scheduleRescan(): void {
    clearTimeout(this.#rescanTimer);
    if (this.#stopped) return;
    const wait = this.#folderProblem === "" && this.#synced ? RESCAN : RETRY;
    this.#rescanTimer = setTimeout(async () => {
      await this.#compare();
      this.#scheduleRescan();
    }, wait);
  }

  /** Reads files and hands on what changed. `final`: the files have settled. */
  async #read(files: readonly string[], final: boolean): Promise<void> {
    // Nothing counts before one complete look.
    if (!this.#synced) return this.#compareSoon();
    const texts: [string, FileText][] = [];
    for (const file of files) {
      const text = await this.#text(file);
      if (text === undefined) continue;
      const waits = !final && (text === null ||
        (typeof text === "string" && this.#state.removals(file, text)));
      if (waits) continue;
      if (final) this.#due.delete(file);
      // Whether a file is gone or the whole folder is, only a look at the folder tells.
      if (text === null) this.#compareSoon();
      else texts.push([file, text]);
    }
    if (texts.length > 0) await this.#apply(texts);
  }

  /** What a file holds now; undefined when it is no file. */
  async #text(file: string): Promise<FileText | undefined> {
    const path = join(this.#directory, file);
    try {
      const info = await Deno.stat(path);
      if (!info.isFile) return undefined;
      this.#stamps.set(file, stampOf(info));
      const text = await readFile(path, info);
      if (text === null) this.#stamps.delete(file);
      return text;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        this.#stamps.delete(file);
        return null;
      }
      return { unreadable: messageOf(error) };
    }
  }

  /**
   * Compares the whole folder with what is known. Listing goes on beside the handling of events, which
   * never waits for it; only the files that differ are then looked at in turn.
   */
  async #compare(): Promise<void> {
    const found = new Map<string, Stamp>();
    let problem = "";
    await this.#watch.renew();
    try {
      await this.#list("", found);
      if (found.size === 0) {
        problem = `holds no YAML or JSON file${
          this.#state.empty ? "" : " any more"
        }; nothing is removed`;
      }
    } catch (error) {
      problem = `cannot be read, nothing is removed: ${messageOf(error)}`;
    }
    await this.#run(() => this.#settle(found, problem));
  }

  async #settle(found: ReadonlyMap<string, Stamp>, problem: string): Promise<void> {
    if (problem !== "") {
      this.#folderProblem = problem;
      this.#report();
      this.#scheduleRescan();
      return;
    }
    const first = !this.#synced;
    // A file that is being written would be missing, or half there, in the first configuration that is
    // published. When it has settled, its own turn brings the next comparison.
    if (first && [...found.keys()].some((file) => this.#due.has(file))) return;
    const texts: [string, FileText][] = [];
    for (const [file, stamp] of found) {
      if (this.#stamps.get(file) === stamp || this.#due.has(file)) continue;
      const text = await this.#text(file);
      if (text !== undefined) texts.push([file, text]);
    }
    for (const file of this.#state.files) {
      if (found.has(file) || this.#due.has(file)) continue;
      // It may have come since the folder was listed.
      const text = await this.#text(file);
      if (text !== undefined) texts.push([file, text]);
    }
    this.#synced = true;
    if (first || texts.length > 0 || this.#folderProblem !== "") await this.#apply(texts, first);
  }

  async #list(folder: string, found: Map<string, Stamp>): Promise<void> {
    for await (const entry of Deno.readDir(join(this.#directory, folder))) {
      if (entry.name.startsWith(".")) continue;
      const file = folder === "" ? entry.name : join(folder, entry.name);
      const isResourceFile = RESOURCE_FILE.test(entry.name);
      if (!isResourceFile && entry.isFile) continue;
      let info: Deno.FileInfo;
      try {
        info = await Deno.stat(join(this.#directory, file));
      } catch (error) {
        // A dangling link, or gone since the folder was listed.
        if (error instanceof Deno.errors.NotFound) continue;
        throw error;
      }
      if (info.isDirectory && !entry.isSymlink) await this.#list(file, found);
      else if (info.isFile && isResourceFile) found.set(file, stampOf(info));
    }
  }

  async #apply(texts: [string, FileText][], first = false): Promise<void> {
    const gone = new Set(texts.filter(([, text]) => text === null).map(([file]) => file));
    const remaining = new Set([...this.#state.files].filter((file) => !gone.has(file)));
    for (const [file, text] of texts) if (text !== null) remaining.add(file);
    if (gone.size > 0 && remaining.size === 0) {
      this.#folderProblem = "holds no YAML or JSON file any more; nothing is removed";
      this.#report();
      return;
    }
    if (gone.size === 0 || remaining.size > 0) this.#folderProblem = "";
    if (first) {
      await this.#take(await this.#parsed(texts), true);
      return;
    }
    const short: [string, FileText][] = [];
    for (const [file, text] of texts) {
      if (typeof text === "string" && text.length > SOURCE_LIMIT.sliceCharacters) {
        this.#long.add(file, text);
      } else {
        this.#long.remove(file);
        short.push([file, text]);
      }
    }
    if (short.length > 0 || texts.length === 0) await this.#take(short);
  }

  /** Parses all texts in slices: what is published first is complete. */
  async #parsed(
    texts: readonly [string, FileText][],
  ): Promise<[string, FileText | ParsedFile][]> {
    const parsed: [string, FileText | ParsedFile][] = [];
    for (const [file, text] of texts) {
      if (typeof text !== "string") {
        parsed.push([file, text]);
        continue;
      }
      const steps = this.#state.parse(file, text);
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) await pause();
      parsed.push([file, step.value]);
    }
    return parsed;
  }

  async #take(files: readonly [string, FileText | ParsedFile][], first = false): Promise<void> {
    const { changes, forgotten } = this.#state.apply(files);
    if (first) {
      for (const key of this.#state.forgetUnclaimed()) forgotten.push(key);
      const { remembered, rest } = this.#state.comparedWithRemembered(changes);
      this.#gate.remember(remembered);
      this.#handOn(rest);
    } else if (changes.length > 0) this.#handOn(changes);
    else this.#report();
    this.#logProblems();
    await this.#lastGood?.record({ good: this.#good.splice(0), forgotten });
  }

  #problems(): SourceProblem[] {
    const problems = this.#state.problems();
    if (this.#folderProblem !== "") {
      problems.unshift({
        file: this.#directory,
        line: 0,
        path: "",
        object: "",
        reason: this.#folderProblem,
        lastGoodServing: this.#synced,
      });
    }
    return problems;
  }

  /** Hands on the problems when nothing else changed. */
  #report(): void {
    if (this.#synced) this.#handOn([]);
    this.#logProblems();
  }

  #handOn(changes: readonly SourceChange[]): void {
    const taken = this.#gate.take(changes, this.#state.withheld);
    if (taken !== null) this.#good.push(...this.#state.judged(taken));
    this.#gate.publish(this.#problems());
  }

  #logProblems(): void {
    const problems = this.#problems();
    const now = JSON.stringify(problems);
    if (now === this.#reported) return;
    const before = new Set(
      this.#reported === ""
        ? []
        : (JSON.parse(this.#reported) as unknown[]).map((p) => JSON.stringify(p)),
    );
    this.#reported = now;
    for (const problem of problems) {
      if (before.has(JSON.stringify(problem))) continue;
      const { file, line, path, object, reason, lastGoodServing } = problem;
      this.#log.error(
        { file, line, path, object, lastGoodServing },
        `${file}${line > 0 ? `:${line}` : ""}: ${path === "" ? "" : `${path}: `}${reason}`,
      );
    }
  }
}

function stampOf(info: Deno.FileInfo): Stamp {
  return `${info.dev}:${info.ino}:${info.size}:${info.mtime?.getTime()}`;
}
