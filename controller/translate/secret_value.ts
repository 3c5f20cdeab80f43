import { Buffer } from "node:buffer";
import type { Secret } from "../../api/core.ts";

/** A value of a Secret; null when it has none of this key. */
export function secretValue(secret: Secret, key: string): Buffer | null {
  const plain = secret.stringData?.[key];
  if (plain !== undefined) return Buffer.from(plain);
  const encoded = secret.data?.[key];
  return encoded === undefined ? null : Buffer.from(encoded, "base64");
}
