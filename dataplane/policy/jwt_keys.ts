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
  /** Each key by itself, for tokens that do not say by which they were signed. */
  #each: readonly Keys[] = [];

  /** @param onChange tokens must be verified anew */
  constructor(message: JwtMessage, context: PolicyContext, onChange: () => void) {
    const { issuer, audiences, algorithms, leewayMs, jwks, jwksUri } = message;
    this.#onChange = onChange;
    this.#options = {
      requiredClaims: message.requiresExpiration ? ["exp"] : [],
      issuer,
      algorithms,
      clockTolerance: leewayMs / 1000,
      ...(audiences.length === 0 ? {} : { audience: audiences }),
    };
    if (jwks !== "") {
      this.#use(jwks);
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
      for (const key of this.#each) {
        try {
          const { payload } = await jwtVerify(token, key, options);
          return keys === this.#keys ? payload : await this.#check(token, now);
        } catch (failure) {
          // Another key may be the one, whatever is wrong with this.
          if (failure instanceof errors.JWTExpired) return "jwt_expired";
          if (failure instanceof errors.JWTClaimValidationFailed) return reasonOf(failure);
        }
      }
      return "jwt_signature";
    }
  }

  /** @throws for what is no set of keys */
  #use(json: string): void {
    const set = JSON.parse(json) as JSONWebKeySet;
    this.#keys = createLocalJWKSet(set);
    this.#each = set.keys.map((key) => createLocalJWKSet({ keys: [key] }));
  }

  #take(json: string): void {
    try {
      this.#use(json);
    } catch {
      // What cannot be used does not replace what can.
      return;
    }
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
  ["exp", "jwt_without_expiration"],
  ["nbf", "jwt_not_yet_valid"],
  ["iss", "jwt_issuer"],
  ["aud", "jwt_audience"],
]);
