import { Buffer } from "node:buffer";
import { fieldProblem } from "../../common/field_problem.ts";
import { ascii, COLON, copy, CR, LF, text } from "./bytes.ts";
import { copyFields, fieldsLength } from "./copy_fields.ts";
import { HOP_BY_HOP } from "./field_id.ts";
import type { HeaderBlock } from "./header_block.ts";
import type { ResponseHead } from "./response_head.ts";
import { commit, reserve, reservedAt } from "./slab.ts";

/** A change of a head's fields: first some are removed, then lines are added. */
export interface FieldEdit {
  /** Names in lower case. */
  readonly removed: ReadonlySet<string>;
  /** Complete lines, CRLF included. */
  readonly lines: Uint8Array;
}

/** A change of fields that cannot be made. */
export class FieldEditError extends Error {
  readonly code = "FIELD_EDIT";
}

/**
 * Compiles a change; null when it changes nothing.
 * @throws {FieldEditError} for a field that must not be changed
 */
export function fieldEdit(
  remove: readonly string[],
  add: readonly { readonly name: string; readonly value: string }[],
): FieldEdit | null {
  if (remove.length === 0 && add.length === 0) return null;
  for (const { name, value } of [...remove.map((name) => ({ name, value: "" })), ...add]) {
    const problem = fieldProblem(name, value);
    if (problem !== null) throw new FieldEditError(problem);
  }
  return {
    removed: new Set(remove.map((name) => name.toLowerCase())),
    lines: ascii(add.map(({ name, value }) => `${name.toLowerCase()}: ${value}\r\n`).join("")),
  };
}

/** Two changes as one: `first` is made before `second`. */
export function joinEdits(first: FieldEdit | null, second: FieldEdit | null): FieldEdit | null {
  if (first === null || second === null) return first ?? second;
  const kept = Buffer.allocUnsafe(first.lines.length);
  const length = keepLines(Buffer.from(first.lines), 0, first.lines.length, second, kept, 0);
  return {
    removed: new Set([...first.removed, ...second.removed]),
    lines: Buffer.concat([kept.subarray(0, length), second.lines]),
  };
}

/** Makes the change on a complete head, start line and empty line included. */
export function editHead(head: Buffer, edit: FieldEdit): Buffer {
  const out = reserve(head.length + edit.lines.length);
  const fields = head.indexOf(LF) + 1;
  let at = copy(head, 0, fields, out, reservedAt());
  at = keepLines(head, fields, head.length - 2, edit, out, at);
  at = copy(edit.lines, 0, edit.lines.length, out, at);
  out[at++] = CR;
  out[at++] = LF;
  return commit(out, at);
}

/**
 * Makes the change on a backend's answer: its fields move into memory of their own.
 * @returns false when there are more fields than a head may have
 */
export function editResponse(head: ResponseHead, edit: FieldEdit): boolean {
  const { block } = head;
  const status = head.statusEnd - head.statusStart;
  const before = Buffer.allocUnsafe(fieldsLength(block));
  // What belongs to the hop would be dropped later by marks that are not kept here.
  const length = copyFields(block, HOP_BY_HOP, before, 0);
  const out = reserve(status + length + edit.lines.length + 2);
  const start = reservedAt();
  let at = copy(head.buffer, head.statusStart, head.statusEnd, out, start);
  at = keepLines(before, 0, length, edit, out, at);
  at = copy(edit.lines, 0, edit.lines.length, out, at);
  out[at++] = CR;
  out[at++] = LF;
  const bytes = commit(out, at);
  head.statusStart = 0;
  head.statusEnd = status;
  return parsed(block, bytes, status);
}

function parsed(block: HeaderBlock, bytes: Buffer, start: number): boolean {
  return block.parse(bytes, start, bytes.length) === bytes.length;
}

/** Copies the lines of [start, end) whose names stay; returns the position after them. */
function keepLines(
  bytes: Buffer,
  start: number,
  end: number,
  { removed }: FieldEdit,
  out: Buffer,
  position: number,
): number {
  if (removed.size === 0) return copy(bytes, start, end, out, position);
  let at = position;
  for (let line = start; line < end;) {
    const next = bytes.indexOf(LF, line) + 1;
    const name = text(bytes, line, bytes.indexOf(COLON, line)).toLowerCase();
    if (!removed.has(name)) at = copy(bytes, line, next, out, at);
    line = next;
  }
  return at;
}
