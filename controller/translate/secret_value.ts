import { Buffer } from "node:buffer";
import type { Secret } from "../../api/core.ts";

/** A value of a Secret; null when it has none of this key. */
export function secretValue(secret: Secret, key: string): Buffer | null {
  const { stringData = {}, data = {} } = secret;
  if (Object.hasOwn(stringData, key)) return Buffer.from(stringData[key]);
  return Object.hasOwn(data, key) ? Buffer.from(data[key], "base64") : null;
}
