/**
 * The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: codes of one length follow one
 * another in the order of their symbols, so the lengths alone define it. Symbol 256 is EOS.
 */
// deno-fmt-ignore
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const EOS = 256;

/** Code of each symbol, right-aligned. */
const CODES = new Uint32Array(LENGTHS.length);
{
  const order = LENGTHS.map((_, symbol) => symbol)
    .sort((a, b) => LENGTHS[a] - LENGTHS[b] || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    code *= 2 ** (LENGTHS[symbol] - length);
    length = LENGTHS[symbol];
    CODES[symbol] = code++;
  }
}

/** Transitions by state and nibble: next state in bits 0–8, symbol + 1 in bits 9–17, bit 18 for failure. */
const NEXT = new Int32Array(LENGTHS.length * 16);
/** States in which a string may end: its padding is a prefix of EOS shorter than a byte (section 5.2). */
const ENDS = new Uint8Array(LENGTHS.length);
const SYMBOL_SHIFT = 9;
const STATE_MASK = 511;
const FAILURE = 1 << 18;

buildTables();

function buildTables(): void {
  // Inner nodes of the code's tree; a child is an inner node (>= 0) or ~symbol.
  const children: [number, number][] = [[0, 0]];
  LENGTHS.forEach((length, symbol) => {
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const side = (CODES[symbol] >>> bit) & 1;
      if (children[node][side] === 0) {
        children[node][side] = children.length;
        children.push([0, 0]);
      }
      node = children[node][side];
    }
    children[node][CODES[symbol] & 1] = ~symbol;
  });
  let ones = 0;
  for (let depth = 0; depth < 8; depth++) {
    ENDS[ones] = 1;
    ones = children[ones][1];
  }
  children.forEach((_, state) => {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let found = -1;
      let failed = false;
      for (let bit = 3; bit >= 0; bit--) {
        const child = children[node][(nibble >> bit) & 1];
        if (child >= 0) node = child;
        else {
          found = ~child;
          failed ||= found === EOS;
          node = 0;
        }
      }
      NEXT[state * 16 + nibble] = node | ((found + 1) << SYMBOL_SHIFT) | (failed ? FAILURE : 0);
    }
  });
}

/** Decodes [start, end) into `out` from `at`; returns the position after the text, -1 for a bad code. */
export function decodeHuffman(
  view: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = view[i];
    let step = NEXT[state * 16 + (byte >> 4)];
    let symbol = (step >> SYMBOL_SHIFT) & STATE_MASK;
    if (symbol !== 0) out[at++] = symbol - 1;
    if (step >= FAILURE) return -1;
    step = NEXT[(step & STATE_MASK) * 16 + (byte & 15)];
    symbol = (step >> SYMBOL_SHIFT) & STATE_MASK;
    if (symbol !== 0) out[at++] = symbol - 1;
    if (step >= FAILURE) return -1;
    state = step & STATE_MASK;
  }
  return ENDS[state] === 1 ? at : -1;
}

/** Bytes of [start, end) of `view` in Huffman form. */
export function huffmanLength(view: Uint8Array, start: number, end: number): number {
  let bits = 0;
  for (let i = start; i < end; i++) bits += LENGTHS[view[i]];
  return (bits + 7) >> 3;
}

/** Encodes [start, end) into `out` from `at`; returns the position after it. */
export function encodeHuffman(
  view: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  let pending = 0;
  let count = 0;
  for (let i = start; i < end; i++) {
    const symbol = view[i];
    let left = LENGTHS[symbol];
    const code = CODES[symbol];
    while (left > 0) {
      const take = Math.min(8 - count, left);
      left -= take;
      pending = (pending << take) | ((code >>> left) & ((1 << take) - 1));
      count += take;
      if (count === 8) {
        out[at++] = pending;
        pending = 0;
        count = 0;
      }
    }
  }
  if (count > 0) out[at++] = (pending << (8 - count)) | ((1 << (8 - count)) - 1);
  return at;
}
