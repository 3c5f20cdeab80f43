import { Buffer } from "node:buffer";
import { fieldProblem } from "../../common/field_problem.ts";
import { ascii, COLON, copy, CR, latin1, LF, text } from "./bytes.ts";
import type { HeaderBlock } from "./header_block.ts";
import type { ResponseHead } from "./response_head.ts";
import { commit, reserve, reservedAt } from "./slab.ts";

/** A change of a head's fields: first some are removed, then lines are added. */
export interface FieldEdit {
  /** Names in lower case. */
  readonly removed: ReadonlySet<string>;
  /** Complete lines, CRLF included. */
  readonly lines: Uint8Array;
  /** Lengths of the names, a bit each (modulo 32): most fields need no closer look. */
  readonly removedLengths: number;
  readonly addedLengths: number;
  /** Whether `_` in the name of a request's field counts as `-`, which is how many backends read it. */
  readonly dashes: boolean;
}

/**
 * A change as its parts say.
 * @param dashes whether a request's fields go too whose names differ by `_` for `-`; then `removed` has no `_`
 */
export function makeEdit(
  removed: ReadonlySet<string>,
  lines: Uint8Array,
  dashes = false,
): FieldEdit {
  let removedLengths = 0;
  for (const name of removed) removedLengths |= 1 << (name.length & 31);
  let addedLengths = 0;
  for (const line of latin1(lines).split("\r\n")) {
    if (line !== "") addedLengths |= 1 << (line.indexOf(":") & 31);
  }
  return { removed, lines, removedLengths, addedLengths, dashes };
}

/** A name as `dashes` asks for it. */
export function dashed(name: string): string {
  return name.replaceAll("_", "-");
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
  return makeEdit(
    new Set(remove.map((name) => name.toLowerCase())),
    ascii(add.map(({ name, value }) => `${name.toLowerCase()}: ${value}\r\n`).join("")),
  );
}

/** Two changes as one: `first` is made before `second`. */
export function joinEdits(first: FieldEdit | null, second: FieldEdit | null): FieldEdit | null {
  if (first === null || second === null) return first ?? second;
  return makeEdit(
    new Set([...first.removed, ...second.removed]),
    Buffer.concat([keptOf(first.lines, second), second.lines]),
    first.dashes || second.dashes,
  );
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

/** Trailer lines without those that a change of the request removes. */
export function editTrailers(lines: Buffer, edit: FieldEdit): Buffer {
  const kept = Buffer.allocUnsafe(lines.length);
  return kept.subarray(0, keepLines(lines, 0, lines.length, edit, kept, 0));
}

/** Makes changes on a backend's answer, one behind the other: what they add travels beside its fields. */
export function editResponse(head: ResponseHead, edits: readonly FieldEdit[]): void {
  for (const edit of edits) {
    const { removed, removedLengths, lines } = edit;
    if (removedLengths !== 0) removeFields(head.block, removed, removedLengths);
    const { added } = head;
    if (added === null || added.length === 0) {
      head.added = lines;
      head.addedLengths = edit.addedLengths;
      continue;
    }
    const before = (removedLengths & head.addedLengths) === 0 ? added : keptOf(added, edit);
    const both = new Uint8Array(before.length + lines.length);
    both.set(before);
    both.set(lines, before.length);
    head.added = both;
    head.addedLengths |= edit.addedLengths;
  }
}

function removeFields(block: HeaderBlock, names: ReadonlySet<string>, lengths: number): void {
  for (let i = 0; i < block.count; i++) {
    const length = block.nameEnd(i) - block.nameStart(i);
    if ((lengths & (1 << (length & 31))) !== 0 && names.has(block.name(i))) block.remove(i);
  }
}

function keptOf(lines: Uint8Array, edit: FieldEdit): Uint8Array {
  const kept = Buffer.allocUnsafe(lines.length);
  return kept.subarray(0, keepLines(Buffer.from(lines), 0, lines.length, edit, kept, 0));
}

/** Copies the lines of [start, end) whose names stay; returns the position after them. */
function keepLines(
  bytes: Buffer,
  start: number,
  end: number,
  { removed, dashes }: FieldEdit,
  out: Buffer,
  position: number,
): number {
  if (removed.size === 0) return copy(bytes, start, end, out, position);
  let at = position;
  for (let line = start; line < end;) {
    const next = bytes.indexOf(LF, line) + 1;
    const name = text(bytes, line, bytes.indexOf(COLON, line)).toLowerCase();
    const goes = removed.has(name) || (dashes && removed.has(dashed(name)));
    if (!goes) at = copy(bytes, line, next, out, at);
    line = next;
  }
  return at;
}
