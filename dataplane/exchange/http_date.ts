import { ascii } from "../message/bytes.ts";
import { type FieldEdit, makeEdit } from "../message/field_edit.ts";

let dateSecond = 0;
let dateText = "";

/**
 * The time as RFC 9110 section 5.6.7 has it, built once a second.
 * @param now milliseconds since 1970
 */
export function httpDate(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

const NOTHING: ReadonlySet<string> = new Set();
let edit: FieldEdit | null = null;
let editText = "";

/**
 * The change that gives a response its Date (RFC 9110 section 6.6.1), built once a second.
 * @param now milliseconds since 1970
 */
export function dateEdit(now: number): FieldEdit {
  const date = httpDate(now);
  if (edit === null || date !== editText) {
    editText = date;
    edit = makeEdit(NOTHING, ascii(`date: ${date}\r\n`));
  }
  return edit;
}
