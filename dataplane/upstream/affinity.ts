import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import type { Affinity as AffinityMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { ascii } from "../message/bytes.ts";
import { cookieValue } from "../message/cookie.ts";
import { type FieldEdit, makeEdit } from "../message/field_edit.ts";

/** Bytes of a cookie's value: nobody guesses one. */
const LENGTH = 18;
const NOTHING: ReadonlySet<string> = new Set();

/**
 * Keeps clients at their endpoints by a cookie. Its value is a code of the endpoint that only holders of
 * the key can make: every worker and process of the installation reads it, and nobody else learns
 * addresses from it or makes one up.
 */
export class Affinity {
  readonly #settings: AffinityMessage;
  readonly #codes = new Map<string, string>();
  readonly #labels = new Map<string, string>();

  /** @param labels of all endpoints */
  constructor(settings: AffinityMessage, labels: readonly string[]) {
    this.#settings = settings;
    for (const label of labels) {
      const digest = createHmac("sha256", settings.key).update(label).digest();
      const code = Buffer.from(digest.subarray(0, LENGTH)).toString("base64url");
      this.#codes.set(label, code);
      this.#labels.set(code, label);
    }
  }

  /** Label of the endpoint that a request's Cookie field names; null for none that is there. */
  labelOf(cookies: string | null): string | null {
    const code = cookies === null ? null : cookieValue(cookies, this.#settings.cookie);
    return code === null ? null : this.#labels.get(code) ?? null;
  }

  /** The field that ties a client to an endpoint from now on. */
  cookieFor(label: string): FieldEdit {
    const { cookie, path, ttl, sameSite, secure } = this.#settings;
    const attributes = [
      `${cookie}=${this.#codes.get(label)}`,
      `Path=${path}`,
      ...(ttl > 0 ? [`Max-Age=${ttl}`] : []),
      "HttpOnly",
      ...(secure ? ["Secure"] : []),
      ...(sameSite === "" ? [] : [`SameSite=${sameSite}`]),
    ];
    return makeEdit(NOTHING, ascii(`set-cookie: ${attributes.join("; ")}\r\n`));
  }
}
