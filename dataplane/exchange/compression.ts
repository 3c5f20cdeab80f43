import { BodyKind, type ResponseHead } from "../message/response_head.ts";
import { FieldId } from "../message/field_id.ts";
import { ascii } from "../message/bytes.ts";
import { editResponse, type FieldEdit, makeEdit } from "../message/field_edit.ts";
import type { Coding, Compression } from "../router/compression.ts";

/** For answers that may come in another coding: caches must ask what the client takes. */
const VARIES = makeEdit(new Set(), ascii("vary: Accept-Encoding\r\n"));
const NOTHING = { removed: new Set<string>(), lines: ascii("") };

function encoded(coding: Coding): FieldEdit {
  return makeEdit(
    // Digests are those of the bytes as they came (RFC 9530 section 2; Content-MD5, Digest before it).
    new Set([
      ...["content-length", "accept-ranges"],
      ...["content-digest", "repr-digest", "digest", "content-md5"],
    ]),
    ascii(`content-encoding: ${coding}\r\n`),
  );
}

const ENCODED: Readonly<Record<Coding, FieldEdit>> = {
  gzip: encoded("gzip"),
  br: encoded("br"),
  zstd: encoded("zstd"),
};

/**
 * The coding that a client wants most of those that are offered (RFC 9110 section 12.5.3); null for none.
 * @param accepted the Accept-Encoding field, null without one
 */
export function chooseCoding(accepted: string | null, offered: readonly Coding[]): Coding | null {
  if (accepted === null) return null;
  const weights = new Map<string, number>();
  for (let at = 0; at < accepted.length;) {
    const comma = accepted.indexOf(",", at);
    const end = comma < 0 ? accepted.length : comma;
    if (end > at) readWeight(accepted.slice(at, end).toLowerCase(), offered, weights);
    at = end + 1;
  }
  let best: Coding | null = null;
  let bestWeight = 0;
  for (const coding of offered) {
    const weight = weights.get(coding) ?? weights.get("*") ?? 0;
    if (weight > bestWeight) {
      best = coding;
      bestWeight = weight;
    }
  }
  // Who likes the plain form better gets it.
  return best !== null && (weights.get("identity") ?? 0) > bestWeight ? null : best;
}

const WEIGHT = /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/;

/** Notes the weight of one element (RFC 9110 section 12.4.2); other codings than those offered count for nothing. */
function readWeight(
  element: string,
  offered: readonly string[],
  weights: Map<string, number>,
): void {
  const semicolon = element.indexOf(";");
  const name = (semicolon < 0 ? element : element.slice(0, semicolon)).trim();
  if (name !== "*" && name !== "identity" && !offered.includes(name)) return;
  const q = semicolon < 0 ? undefined : element.slice(semicolon + 1).split(";")
    .map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith("q="))?.slice(2);
  weights.set(name, q === undefined ? 1 : WEIGHT.test(q) ? Number(q) : 0);
}

/**
 * Brings the head of an answer into the form of a compressed one, where it should be compressed.
 * @param coding what the client takes, null for none
 * @returns whether its body must be compressed now
 */
export function compresses(
  head: ResponseHead,
  { minSize, covers }: Compression,
  coding: Coding | null,
): boolean {
  const { block, status } = head;
  if (head.body === BodyKind.None || status === 206 || status < 200) return false;
  const type = block.get("content-type")?.split(";", 1)[0].trim().toLowerCase() ?? "";
  if (!covers(type) || block.get("content-encoding") !== null) return false;
  const { contentLength } = head.framing;
  if (contentLength >= 0 && contentLength < minSize) return false;
  editResponse(head, [VARIES]);
  const kept = block.get("cache-control")?.toLowerCase().includes("no-transform") ?? false;
  if (coding === null || kept) return false;
  editResponse(head, [ENCODED[coding], weakTag(head)]);
  for (let i = 0; i < block.count; i++) {
    if (block.id(i) === FieldId.ContentLength) block.remove(i);
  }
  head.framing.contentLength = -1;
  head.body = BodyKind.Framed;
  return true;
}

/** Another representation of the same: its tag is no longer that of the bytes. */
function weakTag({ block }: ResponseHead): FieldEdit {
  const tag = block.get("etag");
  return tag === null || tag.startsWith("W/")
    ? makeEdit(NOTHING.removed, NOTHING.lines)
    : makeEdit(new Set(["etag"]), ascii(`etag: W/${tag}\r\n`));
}
