import { join } from "node:path";
import { onCore } from "./pinning.ts";

/** Milliseconds a process gets to end in order before it is killed. */
const GRACE = 5_000;
/** Milliseconds between two looks at something that announces itself only to those who ask. */
const POLL = 20;
const TAIL_LINES = 8;

/** A process of the bench. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Files that take its output. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<Deno.CommandStatus>;
  readonly running: boolean;
}

export interface SpawnOptions {
  readonly core?: number | null;
  /** Files and sockets it should be able to have open: as many, or as near to it as is allowed. */
  readonly openFiles?: number | undefined;
  readonly env?: Record<string, string>;
}

const scenes = new Set<Scene>();
let interrupted = false;

/** Ends every process and removes every folder, for good: for a bench that is interrupted. */
export async function endAllScenes(): Promise<void> {
  interrupted = true;
  await Promise.all([...scenes].map((scene) => scene[Symbol.asyncDispose]()));
}

/** A temporary folder and the processes that live in it; both are gone when it is disposed of. */
export class Scene implements AsyncDisposable {
  readonly folder: string;
  readonly #children: { child: Child; process: Deno.ChildProcess }[] = [];
  #ending: Promise<void> | null = null;

  constructor() {
    if (interrupted) throw new Error("interrupted");
    this.folder = Deno.makeTempDirSync({ prefix: "novaedge-bench-" });
    scenes.add(this);
  }

  /** Everything started so far. */
  get children(): Child[] {
    return this.#children.map(({ child }) => child);
  }

  /** A new folder in the scene's. */
  subfolder(name: string): string {
    const path = join(this.folder, name);
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  /** Starts a program with its output in files that are opened for appending, so that they can be cut. */
  spawn(name: string, command: readonly string[], options: SpawnOptions = {}): Child {
    if (this.#ending !== null) throw new Error(`${name}: not started, the bench is ending`);
    const stdout = join(this.folder, `${name}.out`);
    const stderr = join(this.folder, `${name}.err`);
    const { openFiles } = options;
    const limit = openFiles === undefined
      ? ""
      : `ulimit -n ${openFiles} 2>/dev/null || ulimit -n "$(ulimit -Hn)"; `;
    // The shell opens the files and becomes the program: the process id stays.
    const script = `out=$1 err=$2; shift 2; exec 2>>"$err"; ${limit}exec "$@" >>"$out"`;
    const process = new Deno.Command("/bin/sh", {
      args: ["-c", script, "sh", stdout, stderr, ...onCore(options.core ?? null, command)],
      cwd: this.folder,
      stdin: "null",
      env: options.env ?? {},
    }).spawn();
    const child = { name, pid: process.pid, stdout, stderr, ended: process.status, running: true };
    void process.status.then(() => child.running = false);
    this.#children.push({ child, process });
    return child;
  }

  /**
   * Runs a program to its end; what it printed.
   * @throws when it fails
   */
  async run(name: string, command: readonly string[], options?: SpawnOptions): Promise<string> {
    const child = this.spawn(name, command, options);
    const { success } = await child.ended;
    const at = this.#children.findIndex((entry) => entry.child === child);
    if (at >= 0) this.#children.splice(at, 1);
    if (!success) throw new Error(`${name} failed: ${lastWords(child)}`);
    const text = await Deno.readTextFile(child.stdout);
    await Deno.remove(child.stdout);
    return text;
  }

  /** Ends one process before the others. */
  async end(child: Child): Promise<void> {
    const at = this.#children.findIndex((entry) => entry.child === child);
    if (at < 0) return;
    const [{ process }] = this.#children.splice(at, 1);
    await endProcess(child, process);
  }

  /** Empties the files that take output, and `more`: logs of a round are of no use to the next. */
  cutLogs(more: readonly string[] = []): void {
    for (const path of [...this.#children.map(({ child }) => child.stdout), ...more]) {
      try {
        Deno.truncateSync(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    // An interrupt and the end of the bench may meet here; both wait for the same end.
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    await Promise.all(this.#children.map(({ child, process }) => endProcess(child, process)));
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
    scenes.delete(this);
  }
}

async function endProcess(child: Child, process: Deno.ChildProcess): Promise<void> {
  if (!child.running) return;
  signal(process, "SIGTERM");
  const timer = setTimeout(() => signal(process, "SIGKILL"), GRACE);
  await child.ended;
  clearTimeout(timer);
}

function signal(process: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    process.kill(name);
  } catch {
    // It ended before it could be told to.
  }
}

/** The last lines a process wrote to stderr, or to stdout when there are none. */
function lastWords(child: Child): string {
  for (const path of [child.stderr, child.stdout]) {
    try {
      const text = Deno.readTextFileSync(path).trimEnd();
      if (text !== "") return text.split("\n").slice(-TAIL_LINES).join("\n");
    } catch {
      // Not opened yet: no words.
    }
  }
  return "(no output)";
}

/**
 * Resolves when `check` says yes.
 * @throws when a process that must be running ends, or after `timeout` milliseconds
 */
export async function until(
  what: string,
  children: readonly Child[],
  check: () => Promise<boolean>,
  timeout = 120_000,
): Promise<void> {
  const end = performance.now() + timeout;
  while (!await check()) {
    const dead = children.find(({ running }) => !running);
    if (dead !== undefined) throw new Error(`${dead.name} ended: ${lastWords(dead)}`);
    if (performance.now() > end) {
      const words = children.map((child) => `${child.name}: ${lastWords(child)}`);
      throw new Error(`${what}: not within ${timeout} ms\n${words.join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}
