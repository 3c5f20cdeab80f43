import {
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
} from "jose";
import type { Jwt as JwtMessage } from "../../proto/gen/novaedge/v1/config.ts";
import type { Reason } from "../observe/reasons.ts";
import type { KeySubscription, PolicyContext } from "./policy_context.ts";

type Keys = ReturnType<typeof createLocalJWKSet>;

/** Header parameters by which a token would name its own keys or rules. */
const REFUSED_PARAMETERS = ["jku", "x5u", "crit", "jwk"];

/** The keys of one issuer, and what they say of a token. */
export class JwtKeys {
  readonly #options: JWTVerifyOptions;
  readonly #subscription: KeySubscription | null;
  readonly #onChange: () => void;
  /** Null until there were keys. */
  #keys: Keys | null = null;

  /** @param onChange tokens must be verified anew */
  constructor(message: JwtMessage, context: PolicyContext, onChange: () => void) {
    const { issuer, audiences, algorithms, leewayMs, jwks, jwksUri } = message;
    this.#onChange = onChange;
    this.#options = {
      issuer,
      algorithms,
      clockTolerance: leewayMs / 1000,
      ...(audiences.length === 0 ? {} : { audience: audiences }),
    };
    if (jwks !== "") {
      this.#keys = createLocalJWKSet(JSON.parse(jwks) as JSONWebKeySet);
      this.#subscription = null;
    } else {
      this.#subscription = context.followKeys(
        jwksUri,
        message.refreshMs,
        message.timeoutMs,
        (json) => this.#take(json),
      );
    }
  }

  close(): void {
    this.#subscription?.close();
  }

  /**
   * The claims of a token that is in order, or why it is not.
   * @param now milliseconds since 1970
   */
  async verify(token: string, now: number): Promise<JWTPayload | Reason> {
    try {
      const header = decodeProtectedHeader(token);
      if (REFUSED_PARAMETERS.some((name) => Object.hasOwn(header, name))) return "jwt_malformed";
    } catch {
      return "jwt_malformed";
    }
    if (this.#keys === null) await this.#subscription?.refresh();
    if (this.#keys === null) return "keys_unavailable";
    const result = await this.#check(token, now);
    if (result !== "jwt_unknown_key" || this.#subscription === null) return result;
    // The issuer may have a new key since.
    const before = this.#keys;
    await this.#subscription.refresh();
    return this.#keys === before ? result : await this.#check(token, now);
  }

  async #check(token: string, now: number): Promise<JWTPayload | Reason> {
    const options = { ...this.#options, currentDate: new Date(now) };
    const keys = this.#keys!;
    try {
      const { payload } = await jwtVerify(token, keys, options);
      // Of keys that were replaced meanwhile nothing counts.
      return keys === this.#keys ? payload : await this.#check(token, now);
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return reasonOf(error);
      // The token does not say by which of several keys it was signed.
      let reason: Reason = "jwt_signature";
      for await (const key of error) {
        try {
          const { payload } = await jwtVerify(token, key, options);
          return keys === this.#keys ? payload : await this.#check(token, now);
        } catch (failure) {
          reason = reasonOf(failure);
          if (reason !== "jwt_signature") return reason;
        }
      }
      return reason;
    }
  }

  #take(json: string): void {
    let keys: Keys;
    try {
      keys = createLocalJWKSet(JSON.parse(json) as JSONWebKeySet);
    } catch {
      // What cannot be used does not replace what can.
      return;
    }
    this.#keys = keys;
    this.#onChange();
  }
}

function reasonOf(error: unknown): Reason {
  if (error instanceof errors.JWTExpired) return "jwt_expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return CLAIMS.get(error.claim) ?? "jwt_malformed";
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return "jwt_algorithm";
  if (error instanceof errors.JOSENotSupported) return "jwt_algorithm";
  if (error instanceof errors.JWKSNoMatchingKey) return "jwt_unknown_key";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "jwt_signature";
  return "jwt_malformed";
}

const CLAIMS: ReadonlyMap<string, Reason> = new Map([
  ["nbf", "jwt_not_yet_valid"],
  ["iss", "jwt_issuer"],
  ["aud", "jwt_audience"],
]);
