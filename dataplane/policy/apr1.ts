import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

const MAGIC = "$apr1$";
const ROUNDS = 1_000;
const DIGEST = 16;
const ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Bytes of the digest that are written together, the highest first; -1 for none. */
const GROUPS = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5], [-1, -1, 11]];
const HASH = /^\$apr1\$([./0-9A-Za-z]{0,8})\$([./0-9A-Za-z]{22})$/;

/** Whether a hash is one of Apache's MD5 ("$apr1$salt$digest"), the default of htpasswd. */
export function isApr1(hash: string): boolean {
  return HASH.test(hash);
}

/** The hash of a password by Apache's MD5 (apr_md5.c), which is that of FreeBSD's crypt(3) with another magic. */
export function apr1(password: string, salt: string): string {
  const [secret, seed, magic] = [password, salt, MAGIC].map((text) => Buffer.from(text));
  const md5 = (...parts: Uint8Array[]) => createHash("md5").update(Buffer.concat(parts)).digest();
  const inner = md5(secret, seed, secret);
  const parts: Uint8Array[] = [secret, magic, seed];
  for (let left = secret.length; left > 0; left -= DIGEST) {
    parts.push(inner.subarray(0, Math.min(DIGEST, left)));
  }
  for (let bits = secret.length; bits > 0; bits >>= 1) {
    parts.push((bits & 1) === 1 ? Buffer.alloc(1) : secret.subarray(0, 1));
  }
  let digest = md5(...parts);
  for (let round = 0; round < ROUNDS; round++) {
    const odd = (round & 1) === 1;
    digest = md5(
      odd ? secret : digest,
      ...(round % 3 === 0 ? [] : [seed]),
      ...(round % 7 === 0 ? [] : [secret]),
      odd ? digest : secret,
    );
  }
  return `${MAGIC}${salt}$${encoded(digest)}`;
}

/** Whether a password has a hash for which `isApr1` holds. */
export function apr1Matches(password: string, hash: string): boolean {
  const salt = HASH.exec(hash)?.[1];
  return salt !== undefined && apr1(password, salt) === hash;
}

function encoded(digest: Buffer): string {
  let text = "";
  for (const group of GROUPS) {
    let value = group.reduce((sum, at) => sum * 256 + (at < 0 ? 0 : digest[at]), 0);
    // Six bits a character, the lowest first; the last group has one byte.
    for (let i = group[0] < 0 ? 2 : 4; i > 0; i--) {
      text += ALPHABET[value & 63];
      value >>>= 6;
    }
  }
  return text;
}
