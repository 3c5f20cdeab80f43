import { ApiError, type ApiObject, type RequestOptions, type WatchEvent } from "./api_client.ts";

/** Seconds after which the server ends a watch, at least; up to as many more, so that they end apart. */
const WATCH = 300;
/** Milliseconds without an event or bookmark, which come each minute, after which a watch counts as dead. */
const SILENCE = 120_000;
/** Milliseconds before another try, at first and at most; waits double. */
const FIRST_WAIT = 200;
const LAST_WAIT = 10_000;
/** Milliseconds until a kind that does not exist is looked for again. */
const ABSENT_WAIT = 10_000;

/** What a reflector needs of an API client. */
export interface Collection {
  pages(path: string, options: RequestOptions): AsyncIterable<
    { readonly items: ApiObject[]; readonly resourceVersion: string }
  >;
  watch(path: string, options: RequestOptions): AsyncIterable<WatchEvent>;
}

/** How a kind stands. */
export type ReflectorState =
  | "starting"
  /** What is known is as it was a moment ago, or the API server is away and it may be older. */
  | "following"
  /** The API server does not know the kind. */
  | "absent"
  /** It does not let us read it. */
  | "forbidden";

/** Receives the objects of a kind. */
export interface ReflectorHandler {
  /** An object came or changed. */
  upsert(object: ApiObject): void;
  /** An object is gone; `namespace/name`. */
  remove(key: string): void;
  /** The state changed, or a complete list was taken in. */
  settled(state: ReflectorState, problem: string): void;
  /** The server did not answer as it should; it is asked again. */
  failed(reason: string): void;
  /** It answered. */
  reached(): void;
}

export interface ReflectorOptions {
  readonly path: string;
  readonly accept?: { readonly list: string; readonly watch: string };
  readonly collection: Collection;
  readonly handler: ReflectorHandler;
  /** Number in [0, 1). */
  readonly random: () => number;
  /** Resolves after milliseconds, or when the signal is aborted. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** Whether a version of an object is newer than another: they are numbers that grow. */
export function isNewer(a: string, b: string): boolean {
  return a.length !== b.length ? a.length > b.length : a > b;
}

/** "namespace/name", of objects without a namespace "/name". */
export function keyOfObject({ metadata }: ApiObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

/**
 * Follows the objects of a kind: lists them in pages, watches from there, and lists again when the server
 * has forgotten where we were (the pattern of Kubernetes' own informers). While the server is away, what
 * is known stays.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  /** Versions of the objects that are known. */
  readonly #known = new Map<string, string>();
  #resourceVersion = "";
  #state: ReflectorState = "starting";
  #failures = 0;
  #newest = "";
  #again = new AbortController();
  readonly #listed = new Set<() => void>();

  constructor(options: ReflectorOptions) {
    this.#options = options;
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** The newest version of an object that was seen, "" for none. */
  get newest(): string {
    return this.#newest;
  }

  /** Whether everything up to a version was seen. */
  reached(version: string): boolean {
    return !isNewer(version, this.#resourceVersion) || !isNewer(version, this.#newest);
  }

  /** Lists anew what is there now, whatever the watch has brought; resolves when that was taken in. */
  relist(): Promise<void> {
    const done = new Promise<void>((resolve) => this.#listed.add(resolve));
    this.#resourceVersion = "";
    this.#again.abort();
    return done;
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let wait = 0;
      try {
        if (this.#resourceVersion === "") await this.#list(signal);
        this.#again = new AbortController();
        await this.#watch(AbortSignal.any([signal, this.#again.signal]));
      } catch (error) {
        if (signal.aborted) break;
        if (this.#resourceVersion === "" && this.#again.signal.aborted) continue;
        wait = this.#failed(error as Error);
      }
      if (wait > 0) await this.#options.sleep(wait, signal);
    }
    this.#tellListed();
  }

  #tellListed(): void {
    for (const tell of this.#listed) tell();
    this.#listed.clear();
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { path, accept, collection, handler } = this.#options;
    const options = { signal, ...(accept === undefined ? {} : { accept: accept.list }) };
    const found = new Set<string>();
    let version = "";
    for await (const { items, resourceVersion } of collection.pages(path, options)) {
      for (const object of items) found.add(this.#upsert(object));
      version = resourceVersion;
    }
    // Only a complete list says what is gone.
    for (const key of this.#known.keys()) if (!found.has(key)) this.#remove(key);
    this.#resourceVersion = version;
    this.#failures = 0;
    this.#state = "following";
    handler.reached();
    handler.settled("following", "");
    this.#tellListed();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { path, accept, collection, random } = this.#options;
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE);
    const query = {
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: String(Math.round(WATCH * (1 + random()))),
    };
    const options = {
      query,
      signal: AbortSignal.any([signal, silence.signal]),
      ...(accept === undefined ? {} : { accept: accept.watch }),
    };
    try {
      for await (const event of collection.watch(path, options)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE);
        this.#onEvent(event);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #onEvent({ type, object }: WatchEvent): void {
    if (type === "ERROR") {
      const { code = 0, reason = "", message = "" } = object as unknown as {
        code?: number;
        reason?: string;
        message?: string;
      };
      throw new ApiError(code, reason, message);
    }
    this.#failures = 0;
    this.#options.handler.reached();
    const { resourceVersion } = object.metadata;
    if (type === "DELETED") {
      this.#note(resourceVersion);
      this.#remove(keyOfObject(object));
    } else if (type !== "BOOKMARK") this.#upsert(object);
    // Unless everything is to be listed anew.
    if (!this.#again.signal.aborted) this.#resourceVersion = resourceVersion;
  }

  #upsert(object: ApiObject): string {
    const key = keyOfObject(object);
    const { resourceVersion } = object.metadata;
    this.#note(resourceVersion);
    if (this.#known.get(key) !== resourceVersion) {
      this.#known.set(key, resourceVersion);
      this.#options.handler.upsert(object);
    }
    return key;
  }

  #note(version: string): void {
    if (isNewer(version, this.#newest)) this.#newest = version;
  }

  #remove(key: string): void {
    if (this.#known.delete(key)) this.#options.handler.remove(key);
  }

  /** Milliseconds to wait after a failure. */
  #failed(error: Error): number {
    const { handler, random } = this.#options;
    const { status, reason } = error instanceof ApiError ? error : { status: 0, reason: "" };
    if (status === 410 || reason === "Expired") {
      // The server has forgotten where we were.
      this.#resourceVersion = "";
      return this.#failures++ === 0 ? 1 : FIRST_WAIT;
    }
    if (status === 404 || status === 403) {
      this.#resourceVersion = "";
      const absent = status === 404;
      if (absent) { for (const key of [...this.#known.keys()]) this.#remove(key); }
      this.#state = absent ? "absent" : "forbidden";
      handler.settled(this.#state, error.message);
      this.#tellListed();
      return ABSENT_WAIT;
    }
    handler.failed(error.message);
    const most = Math.min(LAST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    // Half of it at random: all who lost the server come back apart.
    return Math.round(most * (1 + random()) / 2);
  }
}
