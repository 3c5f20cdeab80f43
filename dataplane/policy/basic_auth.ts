import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import type { BasicAuth as BasicAuthMessage } from "../../proto/gen/novaedge/v1/config.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import { ascii } from "../message/bytes.ts";
import { makeEdit } from "../message/field_edit.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";
import type { PolicyContext } from "./policy_context.ts";
import { Recent } from "./recent.ts";

/** Passwords found right that need no second look, by digest. */
const REMEMBERED = 1_000;
const DIGEST_LENGTH = 64;
const SHA = "{SHA}";
/** Passwords of one policy that may be looked at, so that others have their turn. */
const IN_PROGRESS = 16;
/** Of one client at once: each takes up to a second of a thread that all share. Others of it wait. */
const PER_CLIENT = 2;
const WAITING_PER_CLIENT = 32;
/** Longest field that is looked at, in characters; bcrypt reads 72 bytes of a password. */
const LONGEST = 1_024;
const STRIP = makeEdit(new Set(["authorization"]), ascii(""));
const BUSY = refusal(503, "auth_busy");

/** Requests must carry a name and password (RFC 7617). */
export class BasicAuth implements RequestCheck {
  readonly #context: PolicyContext;
  readonly #hashes: ReadonlyMap<string, string>;
  /** A hash for names that nobody has, so that they take as long as others. */
  readonly #decoy: string | null;
  readonly #strip: boolean;
  readonly #refused: Refusal;
  readonly #pending = new Map<string, Promise<boolean | null>>();
  /** Passwords that the thread has been given. */
  #inProgress = 0;
  readonly #right = new Recent<true>(REMEMBERED, REMEMBERED * DIGEST_LENGTH);

  constructor({ realm, credentials, strip }: BasicAuthMessage, context: PolicyContext) {
    this.#context = context;
    this.#hashes = new Map(credentials.map(({ user, hash }) => [user, hash]));
    this.#decoy = credentials.find(({ hash }) => !hash.startsWith(SHA))?.hash ?? null;
    this.#strip = strip;
    this.#refused = refusal(401, "basic_auth", [
      ["www-authenticate", `Basic realm="${realm}", charset="UTF-8"`],
    ]);
  }

  check(request: PolicyRequest): Verdict {
    const given = credentialsOf(request.header("authorization"));
    if (given === null) return this.#refused;
    const known = this.#hashes.get(given.user);
    const hash = known ?? this.#decoy;
    if (hash === null) return this.#refused;
    if (hash.startsWith(SHA)) return this.#settle(request, shaMatches(given.password, hash));
    const digest = createHash("sha256").update(`${hash}\n${given.user}\n${given.password}`)
      .digest("hex");
    if (this.#right.get(digest) === true) return this.#settle(request, true);
    let pending = this.#pending.get(digest);
    if (pending === undefined) {
      const { share } = request;
      const waits = share.passwords >= PER_CLIENT;
      const full = waits
        ? share.waitingPasswords.length >= WAITING_PER_CLIENT
        : this.#inProgress >= IN_PROGRESS;
      if (full) return BUSY;
      const turn = waits
        ? new Promise<void>((resolve) => share.waitingPasswords.push(resolve))
        : null;
      pending = this.#checked(share, turn, given.password, hash)
        .finally(() => this.#pending.delete(digest));
      this.#pending.set(digest, pending);
    }
    return pending.then((right) => {
      if (right === null) return BUSY;
      if (right && known !== undefined) this.#right.set(digest, true);
      return this.#settle(request, right && known !== undefined);
    });
  }

  /** @param turn when those of the client before it are done, null for at once */
  async #checked(
    share: ClientShare,
    turn: Promise<void> | null,
    password: string,
    hash: string,
  ): Promise<boolean | null> {
    if (turn !== null) await turn;
    share.passwords++;
    this.#inProgress++;
    try {
      return await this.#context.checkPassword(password, hash);
    } finally {
      this.#inProgress--;
      share.passwords--;
      share.waitingPasswords.shift()?.();
    }
  }

  #settle(request: PolicyRequest, right: boolean): Refusal | null {
    if (!right) return this.#refused;
    if (this.#strip) request.changeRequest(STRIP);
    return null;
  }
}

interface Given {
  readonly user: string;
  readonly password: string;
}

function credentialsOf(field: string | null): Given | null {
  if (field === null || field.length > LONGEST) return null;
  const encoded = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(field)?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function shaMatches(password: string, hash: string): boolean {
  const expected = Buffer.from(hash.slice(SHA.length), "base64");
  const found = createHash("sha1").update(password).digest();
  return expected.length === found.length && timingSafeEqual(expected, found);
}
