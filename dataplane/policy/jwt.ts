import { Buffer } from "node:buffer";
import { fieldProblem } from "../../common/field_problem.ts";
import type { Jwt as JwtMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { ascii } from "../message/bytes.ts";
import { cookieValue, withoutCookie } from "../message/cookie.ts";
import { dashed, type FieldEdit, makeEdit } from "../message/field_edit.ts";
import type { Reason } from "../observe/reasons.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import { queryValue } from "../router/predicates.ts";
import { claimAt, claimHas, claimText } from "./claims.ts";
import { JwtKeys } from "./jwt_keys.ts";
import type { Claims, PolicyRequest, RequestCheck, Verdict } from "./policy.ts";
import type { PolicyContext } from "./policy_context.ts";
import { Recent } from "./recent.ts";

/** Characters of the longest token that is looked at. */
const LONGEST = 8_192;
/** Verified tokens that are remembered until they expire, and their characters. */
const REMEMBERED = 10_000;
const REMEMBERED_CHARACTERS = 16_777_216;
const SECOND = 1000;
/** Milliseconds until a token without end is verified again. */
const REVERIFY = 300_000;
const COOKIE = new Set(["cookie"]);

/** What a verified token is good for. */
interface Verified {
  readonly claims: Claims;
  /** Milliseconds since 1970 at which it ends. */
  readonly until: number;
  readonly edit: FieldEdit | null;
}

function unauthorized(reason: Reason): Refusal {
  const error = reason === "jwt_missing"
    ? ""
    : `, error="invalid_token", error_description="${reason}"`;
  return refusal(401, reason, [["www-authenticate", `Bearer realm="novaedge"${error}`]]);
}

const MISSING = unauthorized("jwt_missing");
const MALFORMED = unauthorized("jwt_malformed");
const NO_KEYS = refusal(503, "keys_unavailable");
const FORBIDDEN = refusal(403, "jwt_claim", [
  ["www-authenticate", 'Bearer realm="novaedge", error="insufficient_scope"'],
]);

/** Requests must carry a token that an issuer signed for us (RFC 7519, RFC 6750). */
export class Jwt implements RequestCheck {
  readonly #message: JwtMessage;
  readonly #context: PolicyContext;
  readonly #keys: JwtKeys;
  readonly #verified = new Recent<Verified>(REMEMBERED, REMEMBERED_CHARACTERS);
  readonly #pending = new Map<string, Promise<Verified | Refusal>>();
  readonly #removed: ReadonlySet<string>;

  constructor(message: JwtMessage, context: PolicyContext) {
    this.#message = message;
    this.#context = context;
    // What was signed with a key that is gone counts no more.
    this.#keys = new JwtKeys(message, context, () => this.#verified.clear());
    const removed = new Set(message.claimsToHeaders.map(({ header }) => dashed(header)));
    if (message.stripToken) removed.add(dashed(message.header));
    this.#removed = removed;
  }

  dispose(): void {
    this.#keys.close();
  }

  check(request: PolicyRequest): Verdict {
    // What is known is found by the field as it came, before anybody takes it apart.
    const field = request.header(this.#message.header);
    const known = field === null ? undefined : this.#verified.get(field);
    if (known !== undefined && this.#context.wallClock() < known.until) {
      return this.#admit(request, known);
    }
    const token = this.#tokenOf(request, field);
    if (token === null) return MISSING;
    if (token.length > LONGEST) return MALFORMED;
    // A token elsewhere is remembered as such: in the field it would lack its scheme.
    const key = field ?? `\n${token}`;
    if (field === null) {
      const remembered = this.#verified.get(key);
      if (remembered !== undefined && this.#context.wallClock() < remembered.until) {
        return this.#admit(request, remembered);
      }
    }
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = this.#verify(token, key).finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending.then((result) => "claims" in result ? this.#admit(request, result) : result);
  }

  #admit(request: PolicyRequest, { claims, edit }: Verified): null {
    request.claims = claims;
    if (edit !== null) request.changeRequest(edit);
    if (this.#message.stripToken) this.#hide(request);
    return null;
  }

  /** Takes the token from where it may be beside its field, which the edit removes. */
  #hide(request: PolicyRequest): void {
    const { cookie, queryParam } = this.#message;
    const cookies = cookie === "" ? null : request.header("cookie");
    if (cookies !== null) {
      const rest = withoutCookie(cookies, cookie);
      request.changeRequest(makeEdit(COOKIE, ascii(rest === "" ? "" : `cookie: ${rest}\r\n`)));
    }
    if (queryParam !== "") request.dropParameter(queryParam);
  }

  #tokenOf(request: PolicyRequest, field: string | null): string | null {
    const { prefix, cookie, queryParam } = this.#message;
    if (field !== null) {
      // The scheme's name counts in either case (RFC 9110 section 11.1).
      const starts = field.length > prefix.length &&
        field.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase();
      return starts ? field.slice(prefix.length).trim() : "";
    }
    if (cookie !== "") {
      const cookies = request.header("cookie");
      const value = cookies === null ? null : cookieValue(cookies, cookie);
      if (value !== null) return value;
    }
    return queryParam === "" ? null : queryValue(request.query, queryParam);
  }

  /** @param key under which it is remembered: the field that it came in, or the token itself */
  async #verify(token: string, key: string): Promise<Verified | Refusal> {
    const result = await this.#keys.verify(token, this.#context.wallClock());
    if (typeof result === "string") {
      return result === "keys_unavailable" ? NO_KEYS : unauthorized(result);
    }
    const { requiredClaims, leewayMs } = this.#message;
    for (const { name, values } of requiredClaims) {
      if (!claimHas(claimAt(result, name), values)) return FORBIDDEN;
    }
    const { exp } = result;
    const verified: Verified = {
      claims: result,
      // A token without end is verified again now and then: its key may be gone by then.
      until: typeof exp === "number"
        ? exp * SECOND + leewayMs
        : this.#context.wallClock() + REVERIFY,
      edit: this.#editOf(result),
    };
    this.#verified.set(key, verified);
    return verified;
  }

  /** What the backend is told of the claims; what the client said under those names goes. */
  #editOf(claims: Claims): FieldEdit | null {
    if (this.#removed.size === 0) return null;
    let lines = "";
    for (const { claim, header } of this.#message.claimsToHeaders) {
      const text = claimText(claimAt(claims, claim));
      if (text === null || fieldProblem(header, text) !== null) continue;
      lines += `${header}: ${text}\r\n`;
    }
    return makeEdit(this.#removed, Buffer.from(lines, "utf8"), true);
  }
}
