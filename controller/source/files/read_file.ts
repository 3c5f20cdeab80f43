import { messageOf } from "../../../common/errors.ts";
import { overLimit, SOURCE_LIMIT } from "../source_limits.ts";
import type { FileText } from "./folder_state.ts";

/** Names of the files that are read, as kubectl reads those of a folder. */
export const RESOURCE_FILE = /\.(?:ya?ml|json)$/i;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a resource file; one that is too large is not read.
 * @param info of the file, as the file system tells it
 */
export async function readFile(path: string, info: Deno.FileInfo): Promise<FileText> {
  if (info.size > SOURCE_LIMIT.fileBytes) {
    const found = `the file has ${info.size.toLocaleString("en-US")} bytes`;
    return { unreadable: overLimit(found, "fileBytes") };
  }
  try {
    return textOf(await Deno.readFile(path));
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? null : { unreadable: messageOf(error) };
  }
}

/** Returns the text of a file, which must be UTF-8: replaced characters would change what it says. */
export function textOf(bytes: Uint8Array): FileText {
  const utf16 = utf16Of(bytes);
  if (utf16 !== null) {
    const remains = new TextDecoder(utf16).decode(bytes);
    return { unreadable: "the file is UTF-16; save it as UTF-8", remains };
  }
  try {
    return UTF8.decode(bytes);
  } catch {
    const remains = new TextDecoder().decode(bytes);
    return { unreadable: "the file is not UTF-8; save it as UTF-8", remains };
  }
}

/** Tells UTF-16 by its byte order mark or by the zeros of its first character (YAML 1.2.2 section 5.2). */
function utf16Of([first, second]: Uint8Array): "utf-16le" | "utf-16be" | null {
  if (second === undefined) return null;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return "utf-16le";
  return (first === 0xfe && second === 0xff) || (first === 0 && second !== 0) ? "utf-16be" : null;
}
