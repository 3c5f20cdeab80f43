import { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { outside } from "../loop/outside.ts";
import type { Coding } from "../router/compression.ts";

/** Who gets what comes out. */
export interface CompressorOwner {
  /** Returns false to ask for nothing more until `resume`. */
  onCompressed(bytes: Buffer | null, ended: boolean): boolean;
  /** More may be written. */
  onCompressorDrain(): void;
  onCompressorError(): void;
}

/** Highest level that zlib has; brotli and zstd go further. */
const GZIP_BEST = 9;

/** Compresses one body on the runtime's threads; what is written comes out at once, not only at the end. */
export class Compressor {
  readonly #stream: Transform;
  #over = false;

  constructor(coding: Coding, level: number, owner: CompressorOwner) {
    this.#stream = streamOf(coding, level);
    outside.waiting++;
    this.#stream.once("close", () => outside.waiting--);
    this.#stream.on("data", (bytes: Buffer) => {
      if (!this.#over && !owner.onCompressed(bytes, false)) this.#stream.pause();
    });
    this.#stream.on("drain", () => {
      if (!this.#over) owner.onCompressorDrain();
    });
    this.#stream.on("end", () => {
      if (!this.#over) owner.onCompressed(null, true);
    });
    this.#stream.on("error", () => {
      if (!this.#over) owner.onCompressorError();
    });
  }

  /**
   * @param view valid during the call
   * @returns false to ask for `onCompressorDrain` before more
   */
  write(view: Buffer): boolean {
    return this.#stream.write(Buffer.from(view));
  }

  end(): void {
    this.#stream.end();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Nobody wants the rest. */
  destroy(): void {
    this.#over = true;
    this.#stream.destroy();
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
        params: { [constants.BROTLI_PARAM_QUALITY]: level },
      });
    case "zstd":
      return zlib.createZstdCompress({
        flush: constants.ZSTD_e_flush,
        params: { [constants.ZSTD_c_compressionLevel]: level },
      });
  }
}
