import type { LogMemory } from "../../dataplane/observe/access_log.ts";

/** Memory for log lines that hands each batch over as text. @param size bytes of a batch */
export function logMemory(
  onBatch: (text: string, lines: number) => void,
  size = 64 * 1024,
): LogMemory {
  return {
    take: () => new Uint8Array(size),
    send: (bytes, length, lines) =>
      onBatch(new TextDecoder().decode(bytes.subarray(0, length)), lines),
  };
}
