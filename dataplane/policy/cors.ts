import type { Cors as CorsMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { ascii } from "../message/bytes.ts";
import { type FieldEdit, makeEdit } from "../message/field_edit.ts";
import type { LocalAnswer } from "../message/local_answer.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import { OriginPattern } from "./origin_pattern.ts";
import type { AnswerChange, PolicyRequest } from "./policy.ts";

/** What a backend says about other origins does not count beside the policy. */
const REMOVED = new Set([
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-expose-headers",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-max-age",
]);
const TOKENS = /^[A-Za-z0-9!#$%&'*+\-.^_`|~, \t]*$/;
const REFUSED = refusal(403, "origin_refused");
/** Origins with their answers remembered, and characters of the longest; more start over. */
const MEMO = 1024;
const LONGEST = 256;

/** Which pages of other origins may use what is served (the Fetch standard, section 3.3). */
export class Cors implements AnswerChange {
  readonly #message: CorsMessage;
  readonly #any: boolean;
  readonly #exact: ReadonlySet<string>;
  readonly #patterns: readonly OriginPattern[];
  /** For requests without an origin, and for those of others. */
  readonly #none: FieldEdit;
  readonly #edits = new Map<string, FieldEdit>();

  /** @throws {Error} for names that no field may have in its value */
  constructor(message: CorsMessage) {
    this.#message = message;
    const { origins, methods, headers, expose } = message;
    const bad = [...methods, ...headers, ...expose].find((name) => !TOKENS.test(name));
    if (bad !== undefined) throw new Error(`CORS: ${JSON.stringify(bad)} is no name`);
    this.#any = origins.includes("*");
    this.#exact = new Set(origins.filter((origin) => !origin.includes("*")));
    this.#patterns = origins.filter((origin) => origin !== "*" && origin.includes("*")).map(
      (origin) => new OriginPattern(origin),
    );
    const varies = !this.#any || message.credentials;
    this.#none = makeEdit(REMOVED, ascii(varies ? "vary: Origin\r\n" : ""));
  }

  /** Sees to the fields of the answer. */
  prepare(request: PolicyRequest): void {
    const origin = request.header("origin");
    if (origin === null || !this.#allows(origin)) {
      request.changeAnswer(this.#none);
      return;
    }
    let edit = this.#edits.get(origin);
    if (edit === undefined) {
      const { expose } = this.#message;
      const exposed = expose.length === 0
        ? ""
        : `access-control-expose-headers: ${expose.join(", ")}\r\n`;
      edit = makeEdit(REMOVED, ascii(`${this.#origin(origin)}${exposed}`));
      if (this.#edits.size >= MEMO) this.#edits.clear();
      if (origin.length <= LONGEST) this.#edits.set(origin, edit);
    }
    request.changeAnswer(edit);
  }

  /**
   * The answer to a preflight; null for any other request. That of an origin that is not allowed goes no
   * further either: nothing that a backend says about it would count.
   */
  preflight(request: PolicyRequest): Refusal | null {
    if (request.method !== "OPTIONS") return null;
    const asked = request.header("access-control-request-method");
    const origin = request.header("origin");
    if (asked === null || origin === null) return null;
    if (!this.#allows(origin)) return REFUSED;
    const { methods, headers, maxAge } = this.#message;
    const askedHeaders = request.header("access-control-request-headers") ?? "";
    const allowedMethods = methods.includes("*") && TOKENS.test(asked) ? asked : methods.join(", ");
    const fields: [string, string][] = [["access-control-allow-methods", allowedMethods]];
    const allowed = !headers.includes("*")
      ? headers.join(", ")
      : TOKENS.test(askedHeaders)
      ? askedHeaders
      : "";
    if (allowed !== "") fields.push(["access-control-allow-headers", allowed]);
    if (headers.includes("*")) fields.push(["vary", "Access-Control-Request-Headers"]);
    if (maxAge > 0) fields.push(["access-control-max-age", String(maxAge)]);
    const answer: LocalAnswer = { status: 204, reason: "", body: "", fields };
    return { status: 204, reason: "preflight", answer };
  }

  #allows(origin: string): boolean {
    if (this.#any) return true;
    const lower = origin.toLowerCase();
    return this.#exact.has(lower) || this.#patterns.some((pattern) => pattern.matches(lower));
  }

  #origin(origin: string): string {
    if (this.#any && !this.#message.credentials) return "access-control-allow-origin: *\r\n";
    const credentials = this.#message.credentials
      ? "access-control-allow-credentials: true\r\n"
      : "";
    return `access-control-allow-origin: ${origin}\r\n${credentials}vary: Origin\r\n`;
  }
}
