import { PREFIX } from "./annotation_table.ts";
import { classOf } from "./class_facts.ts";
import { createdAt, fullName, type SourceObject } from "../source_object.ts";
import type { View } from "../view.ts";

type IngressObject = SourceObject<"Ingress">;

/** A path of an Ingress by which two of them can conflict. */
interface ClaimedPath {
  /** Host, kind of path and path, in a form that two Ingresses share. */
  readonly key: string;
  readonly text: string;
}

/** Returns the paths that an Ingress claims: none for a canary, which shares those of another one. */
export function claimedPaths({ body: { spec = {}, metadata } }: IngressObject): ClaimedPath[] {
  if (metadata.annotations?.[`${PREFIX}canary`] === "true") return [];
  const claimed = (spec.rules ?? []).flatMap(({ host = "", http }, index) =>
    (http?.paths ?? []).map(({ path, pathType }, at): ClaimedPath => {
      const value = path === undefined || path === "" ? "/" : path;
      const name = host.toLowerCase();
      return {
        key: `${name} ${pathType === "Exact" ? "=" : "^"}${value}`,
        text: `spec.rules[${index}].http.paths[${at}]: host ${name || "(any)"}, path ${value}`,
      };
    })
  );
  if (spec.defaultBackend === undefined) return claimed;
  return [...claimed, { key: " ^/", text: "spec.defaultBackend: host (any), path /" }];
}

/**
 * Returns what to tell an Ingress about paths that another Ingress of its class claims too: the older of
 * the two serves the path, or the first one by namespace and name where their ages are not known.
 */
export function pathConflicts(ingress: IngressObject, view: View): string[] {
  const own = classOf(ingress, view);
  const texts: string[] = [];
  for (const { key, text } of claimedPaths(ingress)) {
    const others = view.select("Ingress", "ingress-path", key).filter((other) =>
      other.name !== ingress.name || other.namespace !== ingress.namespace
    ).filter((other) => classOf(other, view) === own);
    if (others.length === 0) continue;
    const [first] = [ingress, ...others].sort(byAge);
    texts.push(
      first === ingress
        ? `${text}: served here, and claimed by ${names(others)} as well`
        : `${text}: served by Ingress ${fullName(first)}`,
    );
  }
  return [...new Set(texts)];
}

function byAge(a: IngressObject, b: IngressObject): number {
  const [left, right] = [a, b].map((one) => `${createdAt(one)} ${fullName(one)}`);
  return left < right ? -1 : 1;
}

function names(ingresses: readonly IngressObject[]): string {
  const [first, ...more] = ingresses;
  return `Ingress ${fullName(first)}${more.length === 0 ? "" : ` and ${more.length} more`}`;
}
