import type { KindName, KindTypes } from "../../api/kinds.ts";

/** Identity of a source object. */
export interface ObjectKey {
  readonly kind: KindName;
  readonly namespace: string;
  readonly name: string;
}

/** One valid object as a source gives it. */
export interface SourceObject<K extends KindName = KindName> extends ObjectKey {
  readonly kind: K;
  readonly body: KindTypes[K];
  /** Where it was read: "file:line", or its generation. */
  readonly origin: string;
  /** Why a newer version of the object was refused while this one keeps serving; "" otherwise. */
  readonly heldBecause: string;
  /** When this version was read (RFC 3339), where the source tells. */
  readonly readAt?: string;
}

/** One step of a source. */
export interface SourceChange {
  readonly key: ObjectKey;
  /** Null when the object is gone. */
  readonly object: SourceObject | null;
}

/** Where an object of a cluster was read. */
export function originOf(generation: number): string {
  return `generation ${generation}`;
}

/** Key text of an object, "Kind/namespace/name". */
export function objectKey({ kind, namespace, name }: ObjectKey): string {
  return `${kind}/${namespace}/${name}`;
}

/** When an object was made, in a form that sorts; "" where it is not known. */
export function createdAt({ body }: SourceObject): string {
  const time = Date.parse(body.metadata.creationTimestamp ?? "");
  return Number.isNaN(time) ? "" : new Date(time).toISOString();
}

/** "namespace/name" */
export function fullName({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}
