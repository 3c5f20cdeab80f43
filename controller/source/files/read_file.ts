import { messageOf } from "../../../common/errors.ts";
import { overLimit, SOURCE_LIMIT } from "../source_limits.ts";
import type { FileText } from "./folder_state.ts";

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
    return await Deno.readTextFile(path);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? null : { unreadable: messageOf(error) };
  }
}
