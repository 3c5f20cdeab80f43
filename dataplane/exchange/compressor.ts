import { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import type { ClientShare } from "../loop/client_shares.ts";
import { type Contained, contained } from "../loop/containment.ts";
import type { Coding } from "../router/compression.ts";
import { CompressionInput } from "./compression_input.ts";
import type { CompressedBody, CompressionTurns } from "./compression_turns.ts";

/** Who gets what comes out. */
export interface CompressorOwner extends Contained {
  /** Returns false to ask for nothing more until `resume`. */
  onCompressed(bytes: Buffer | null, ended: boolean): boolean;
  /** More may be written. */
  onCompressorDrain(): void;
  onCompressorError(): void;
}

/** Highest levels that are used: brotli's 10 and 11 take 20 ms for 8 KiB, which no client waits for. */
const GZIP_BEST = 9;
const BROTLI_BEST = 9;
/** Logarithms of the windows, which are most of what a compressor keeps: 256 KiB. */
const WINDOW_BITS = 18;
/** Bytes of input that one step compresses: 1.5 ms at brotli's level 9. */
const STEP = 8 * 1024;
/** Bytes waiting to be compressed above which reading from the backend pauses. */
const PLENTY = 64 * 1024;
/** Bytes that one compressor keeps beside its input, as they count in its client's share. */
const STATE = 1024 * 1024;

/** What a compressor takes part in. */
export interface CompressorPlace {
  readonly turns: CompressionTurns;
  readonly share: ClientShare;
}

/** Compresses one body in turns with others; what is written comes out at once, not only at the end. */
export class Compressor implements CompressedBody {
  readonly #stream: Transform;
  readonly #owner: CompressorOwner;
  readonly #place: CompressorPlace;
  readonly #input = new CompressionInput(STEP);
  /** A piece is being compressed: another one would be compressed behind it, in no turn. */
  #working = false;
  #counted = STATE;
  #ended = false;
  #finished = false;
  /** The owner wants nothing more for now. */
  #blocked = false;
  /** The writer was asked to wait. */
  #full = false;
  #over = false;

  constructor(coding: Coding, level: number, owner: CompressorOwner, place: CompressorPlace) {
    const { turns, share } = place;
    this.#owner = owner;
    this.#place = place;
    this.#stream = streamOf(coding, turns.enter(share, level));
    share.buffered += STATE;
    this.#stream.on("data", (bytes: Buffer) => {
      if (this.#over) return;
      contained(this, () => {
        if (!owner.onCompressed(bytes, false)) this.#blocked = true;
      });
    });
    this.#stream.on("end", () => {
      if (!this.#over) contained(this, () => void owner.onCompressed(null, true));
    });
    this.#stream.on("error", () => {
      if (!this.#over) contained(this, () => owner.onCompressorError());
    });
  }

  /**
   * @param view valid during the call
   * @returns false to ask for `onCompressorDrain` before more
   */
  write(view: Buffer): boolean {
    this.#input.add(view);
    this.#count(view.length);
    this.#work();
    this.#full ||= this.#input.length >= PLENTY;
    return !this.#full;
  }

  end(): void {
    this.#ended = true;
    this.#work();
  }

  resume(): void {
    this.#blocked = false;
    this.#work();
  }

  step(): void {
    if (this.#over || this.#blocked || this.#working) return;
    const piece = this.#input.take();
    if (piece !== null) {
      this.#count(-piece.length);
      this.#working = true;
      this.#stream.write(piece, this.#compressed);
    }
    if (this.#full && this.#input.length < PLENTY / 2) {
      this.#full = false;
      this.#owner.onCompressorDrain();
    }
    if (this.#over || this.#input.length > 0 || !this.#owesEnd) return;
    this.#finished = true;
    this.#stream.end();
  }

  readonly #compressed = () => {
    this.#working = false;
    if (this.#over || this.#blocked) return;
    if (this.#input.length > 0 || this.#owesEnd) this.#place.turns.goOn(this);
  };

  onFault(): void {
    this.#owner.onFault();
  }

  /** Nobody wants the rest. */
  destroy(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.destroy();
    const { turns, share } = this.#place;
    share.buffered -= this.#counted;
    turns.leave(share);
  }

  /** The end has come and was not passed on. */
  get #owesEnd(): boolean {
    return this.#ended && !this.#finished;
  }

  #work(): void {
    if (!this.#over && !this.#blocked) this.#place.turns.add(this);
  }

  #count(bytes: number): void {
    this.#counted += bytes;
    this.#place.share.buffered += bytes;
  }
}

function streamOf(coding: Coding, level: number): Transform {
  const { constants } = zlib;
  switch (coding) {
    case "gzip":
      return zlib.createGzip({
        level: Math.min(level, GZIP_BEST),
        flush: constants.Z_SYNC_FLUSH,
      });
    case "br":
      return zlib.createBrotliCompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        params: {
          [constants.BROTLI_PARAM_QUALITY]: Math.min(level, BROTLI_BEST),
          [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
        },
      });
    case "zstd":
      return zlib.createZstdCompress({
        flush: constants.ZSTD_e_flush,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_windowLog]: WINDOW_BITS,
        },
      });
  }
}
