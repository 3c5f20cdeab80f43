import { type KindName, KINDS } from "../../../api/kinds.ts";
import type { ObjectKey } from "../../translate/source_object.ts";

/** Path of all objects of a kind, in every namespace. */
export function kindPath(kind: KindName): string {
  return `${root(kind)}/${KINDS[kind].plural}`;
}

/** Path of one object. */
export function objectPath({ kind, namespace, name }: ObjectKey): string {
  const { plural, clusterScoped = false } = KINDS[kind];
  const place = clusterScoped ? "" : `/namespaces/${namespace}`;
  return `${root(kind)}${place}/${plural}/${name}`;
}

function root(kind: KindName): string {
  const { group, version } = KINDS[kind];
  return group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
}
