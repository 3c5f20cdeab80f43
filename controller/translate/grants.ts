import type { View } from "./view.ts";

/** One end of a reference across namespaces. */
export interface GrantSubject {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

/** Whether `from` may refer to the object: same namespace, or a ReferenceGrant in the object's own. */
export function mayRefer(
  view: View,
  from: GrantSubject,
  to: GrantSubject & { name: string },
): boolean {
  if (from.namespace === to.namespace) return true;
  return view.select("ReferenceGrant", "namespace", to.namespace).some(({ body }) =>
    body.spec.from.some((entry) =>
      entry.group === from.group && entry.kind === from.kind && entry.namespace === from.namespace
    ) &&
    body.spec.to.some((entry) =>
      entry.group === to.group && entry.kind === to.kind &&
      (entry.name === undefined || entry.name === "" || entry.name === to.name)
    )
  );
}

export const GROUP = "novaedge.io";
