import { Kind, type Resource, type ResourceRef } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { Version as VersionMessage } from "../../proto/gen/novaedge/v1/config.ts";

export type { Resource, ResourceRef, VersionMessage as Version };
export { Kind };

/** Key of a resource: unique over all kinds. */
export function keyOf({ kind, name }: { kind: Kind; name: string }): string {
  return `${kind}|${name}`;
}

/** Kind and name of a key. */
export function partsOf(key: string): { kind: Kind; name: string } {
  const bar = key.indexOf("|");
  return { kind: Number(key.slice(0, bar)), name: key.slice(bar + 1) };
}

/** Order in which the kinds of one delta are applied: what others refer to comes first. */
const APPLY_ORDER: readonly Kind[] = [
  Kind.KIND_NODE,
  Kind.KIND_CERTIFICATE,
  Kind.KIND_BACKEND,
  Kind.KIND_POLICY,
  Kind.KIND_VIP,
  Kind.KIND_ROUTE,
  Kind.KIND_GATEWAY,
  Kind.KIND_OUTCOME,
  Kind.KIND_SOURCE_ERROR,
];
const RANK = new Map(APPLY_ORDER.map((kind, rank) => [kind, rank]));

/** Sorts resources into apply order. */
export function inApplyOrder<T extends { kind: Kind }>(resources: T[]): T[] {
  return resources.sort((a, b) => (RANK.get(a.kind) ?? 99) - (RANK.get(b.kind) ?? 99));
}

/** Negative when a is older than b. */
export function compareVersions(a: VersionMessage, b: VersionMessage): number {
  return a.term - b.term || a.number - b.number;
}

/** The version before the first. */
export const NO_VERSION: VersionMessage = { term: 0, number: 0 };

/** A version for people: "term.number". */
export function versionText(version: VersionMessage | undefined): string {
  return version === undefined ? "none" : `${version.term}.${version.number}`;
}
