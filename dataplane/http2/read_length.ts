import { FieldId } from "../message/field_id.ts";
import { decimal } from "../message/framing.ts";
import type { HeaderBlock } from "../message/header_block.ts";

/** The announced length of the content: -1 without one, -2 when it is malformed or there are several. */
export function readLength(block: HeaderBlock): number {
  let length = -1;
  for (let i = 0; i < block.count; i++) {
    if (block.id(i) !== FieldId.ContentLength) continue;
    if (length >= 0) return -2;
    length = decimal(block, i);
    if (length < 0) return -2;
  }
  return length;
}
