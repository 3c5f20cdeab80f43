/** MurmurHash3 of 32 bits (Austin Appleby, public domain), over UTF-16 units. */
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/**
 * The hash of a text: the same in every worker, process and version.
 * @returns an unsigned 32-bit number
 */
export function hash32(text: string, seed = 0): number {
  let hash = seed;
  const { length } = text;
  for (let i = 0; i < length; i += 2) {
    const second = i + 1 < length ? text.charCodeAt(i + 1) : 0;
    let block = Math.imul(text.charCodeAt(i) | (second << 16), C1);
    block = (block << 15) | (block >>> 17);
    hash ^= Math.imul(block, C2);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= length;
  return mix32(hash);
}

/** Spreads a 32-bit number over all of them (the finalizer of MurmurHash3); unsigned. */
export function mix32(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
