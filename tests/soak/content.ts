import { Buffer } from "node:buffer";

/** A prime, so that pieces of usual lengths never line up with the period. */
const PERIOD = 65_521;
/** Moves ids that follow one another far apart. */
const STRIDE = 40_503;

/** Two periods of noise, so that a piece up to a period long lies in one run. */
const NOISE = makeNoise();

function makeNoise(): Buffer {
  const noise = Buffer.alloc(2 * PERIOD);
  let state = 0x2545f491;
  for (let i = 0; i < PERIOD; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    noise[i] = noise[i + PERIOD] = state & 0xff;
  }
  return noise;
}

/** Bytes `from` to `from + length` of what an id stands for; a view of at most `PERIOD` bytes. */
export function contentOf(id: number, from: number, length: number): Buffer {
  const at = (id * STRIDE + from) % PERIOD;
  return NOISE.subarray(at, at + Math.min(length, PERIOD));
}

/** All of an id's content. */
export function wholeContent(id: number, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < length; at += PERIOD) parts.push(contentOf(id, at, length - at));
  return Buffer.concat(parts);
}

/** Compares content that arrives in pieces with what an id stands for. */
export class ContentCheck {
  length = 0;
  /** Whether every byte was the right one for its place. */
  right = true;

  constructor(readonly id: number) {}

  take(view: Uint8Array): void {
    for (let at = 0; at < view.length && this.right;) {
      const wanted = contentOf(this.id, this.length + at, view.length - at);
      this.right = wanted.equals(view.subarray(at, at + wanted.length));
      at += wanted.length;
    }
    this.length += view.length;
  }
}

/** The id whose content a request carries: another than that of its answer. */
export function uploadId(id: number): number {
  return id + 1_000_003;
}
