import type { KindTypes } from "../../api/kinds.ts";
import type { ProxyPolicy } from "../../api/proxy_policy.ts";
import type { ObjectKey } from "../translate/source_object.ts";

/** A policy of no type that anybody passes, for the target that an invalid one names. */
export function substituteFor(
  key: ObjectKey | null,
  value: unknown,
): KindTypes[keyof KindTypes] | null {
  if (key?.kind !== "ProxyPolicy") return null;
  const { targetRef } = ((value as { spec?: unknown }).spec ?? {}) as {
    targetRef?: Record<string, unknown> | null;
  };
  const { kind, name, namespace, sectionName } = targetRef ?? {};
  if (typeof kind !== "string" || typeof name !== "string") return null;
  return {
    apiVersion: "novaedge.io/v1alpha1",
    kind: "ProxyPolicy",
    metadata: { name: key.name, namespace: key.namespace },
    spec: {
      type: "Unreadable",
      targetRef: {
        kind,
        name,
        ...(typeof namespace === "string" ? { namespace } : {}),
        ...(typeof sectionName === "string" && sectionName !== "" ? { sectionName } : {}),
      },
    },
  } as unknown as ProxyPolicy;
}
