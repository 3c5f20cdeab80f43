import { messageOf } from "../../../common/errors.ts";
import type { ApiAccess } from "./api_access.ts";

/** Milliseconds in which an ordinary request must be answered. */
const TIMEOUT = 30_000;
/** Objects of one page of a list. */
const PAGE = 500;

/** An object as the API server gives it. */
export interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** One page of a list. */
export interface ApiPage {
  readonly items: ApiObject[];
  readonly resourceVersion: string;
}

/** One event of a watch. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: ApiObject;
}

/** What the API server answered instead of what was asked for. */
export class ApiError extends Error {
  readonly code = "API";

  /**
   * @param status of HTTP; 0 when there was no answer
   * @param reason of the Status object, as "Expired" or "AlreadyExists"
   */
  constructor(readonly status: number, readonly reason: string, message: string) {
    super(message);
  }
}

export interface RequestOptions {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Of the body; a merge patch needs its own. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

const JSON_TYPE = "application/json";
/** For PATCH: fields that are given replace those that are there (RFC 7396). */
export const MERGE_PATCH = "application/merge-patch+json";

/** A connection that all requests share (HTTP/2), and what ends those that are on it. */
interface Line {
  readonly http: Deno.HttpClient;
  readonly ended: AbortController;
}

/**
 * Talks to an API server. A connection on which a request was not answered in time takes no new ones: when the
 * machine at its other end is gone, nobody refuses, and the kernel would go on for a quarter of an hour. What else
 * is on it goes on until another connection shows that the server can be reached.
 */
export class ApiClient {
  readonly #access: ApiAccess;
  #line: Line;
  readonly #silent = new Set<Line>();

  constructor(access: ApiAccess) {
    this.#access = access;
    this.#line = this.#open();
  }

  get server(): string {
    return this.#access.server;
  }

  close(): void {
    for (const { http } of [this.#line, ...this.#silent]) http.close();
  }

  #open(): Line {
    const { ca, certificate } = this.#access;
    const http = Deno.createHttpClient({
      ...(ca === "" ? {} : { caCerts: [ca] }),
      ...(certificate ?? {}),
    } as Deno.CreateHttpClientOptions);
    return { http, ended: new AbortController() };
  }

  /** A request on it was not answered in time. */
  #missed(line: Line): void {
    if (line !== this.#line) return;
    this.#silent.add(line);
    this.#line = this.#open();
  }

  /** A request on it was answered. */
  #answered(line: Line): void {
    if (line !== this.#line) return;
    for (const { http, ended } of this.#silent) {
      ended.abort(new Error("the connection is silent while others are not"));
      http.close();
    }
    this.#silent.clear();
  }

  /**
   * The answer to a request, parsed.
   * @param path from the root, as "/api/v1/namespaces"
   * @throws {ApiError}
   */
  async request<T = ApiObject>(path: string, options: RequestOptions = {}): Promise<T> {
    const limit = AbortSignal.timeout(TIMEOUT);
    const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
    const response = await this.#fetch(path, { ...options, signal });
    try {
      return await response.json() as T;
    } catch (error) {
      throw new ApiError(0, "NoAnswer", unreadable(error));
    }
  }

  /**
   * The pages of a list, of one state of the cluster.
   * @throws {ApiError}
   */
  async *pages(path: string, options: RequestOptions = {}): AsyncGenerator<ApiPage> {
    interface List {
      metadata: { resourceVersion: string; continue?: string };
      items?: ApiObject[] | null;
    }
    for (let token = "";;) {
      const query = {
        ...options.query,
        limit: String(PAGE),
        ...(token === "" ? {} : { continue: token }),
      };
      const { metadata, items } = await this.request<List>(path, { ...options, query });
      yield { items: items ?? [], resourceVersion: metadata.resourceVersion };
      token = metadata.continue ?? "";
      if (token === "") return;
    }
  }

  /**
   * The events of a watch until the server ends it.
   * @throws {ApiError}
   */
  async *watch(path: string, options: RequestOptions): AsyncGenerator<WatchEvent> {
    const query = { ...options.query, watch: "true", allowWatchBookmarks: "true" };
    const response = await this.#fetch(path, { ...options, query });
    try {
      for await (const line of linesOf(response.body!)) yield JSON.parse(line) as WatchEvent;
    } catch (error) {
      throw new ApiError(0, "NoAnswer", unreadable(error));
    }
  }

  async #fetch(path: string, options: RequestOptions): Promise<Response> {
    const { method = "GET", query = {}, body } = options;
    const line = this.#line;
    const { signal: ended } = line.ended;
    const signal = options.signal === undefined ? ended : AbortSignal.any([options.signal, ended]);
    const url = new URL(path, this.#access.server);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const token = this.#access.token();
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        client: line.http,
        headers: {
          accept: options.accept ?? JSON_TYPE,
          ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": options.contentType ?? JSON_TYPE }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal,
      });
    } catch (error) {
      if (signal.reason?.name === "TimeoutError") this.#missed(line);
      throw new ApiError(0, "NoAnswer", (error as Error).message);
    }
    this.#answered(line);
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    let told: { reason?: string; message?: string } = {};
    try {
      told = JSON.parse(text);
    } catch {
      // A proxy's page says nothing that the status does not.
    }
    const { reason = "", message = `status ${response.status}` } = told ?? {};
    throw new ApiError(response.status, reason, message);
  }
}

/** Returns why a response cannot be read. The runtime's own error quotes the text, which may be a Secret. */
function unreadable(error: unknown): string {
  return error instanceof SyntaxError ? "the response is not JSON" : messageOf(error);
}

/** The lines of a stream of bytes. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line !== "") yield line;
  }
  if (rest !== "") yield rest;
}
