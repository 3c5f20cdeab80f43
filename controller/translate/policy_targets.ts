import type { SourceObject } from "./source_object.ts";
import { createdAt, fullName, objectKey } from "./source_object.ts";
import type { View } from "./view.ts";

type Policy = SourceObject<"ProxyPolicy">;

/** What a policy can be attached to: an object, or a named part of it. */
export interface PolicyTarget {
  readonly kind: Policy["body"]["spec"]["targetRef"]["kind"];
  readonly namespace: string;
  readonly name: string;
  /** Listener of a gateway or rule of a route; undefined for the object itself. */
  readonly section?: string | undefined;
}

/** Types whose policies on one target are united; of the others the oldest counts. */
const UNITED = new Set(["IPAllowList", "IPDenyList"]);

/** Types that never refuse a request. */
export const OPEN_TYPES: ReadonlySet<string> = new Set(["CORS", "SecurityHeaders"]);

/** Whether a policy that decides who may pass holds for a target. */
export function restricts(view: View, target: PolicyTarget): boolean {
  return inForce(view, target).some(({ body }) => !OPEN_TYPES.has(body.spec.type));
}

/** Names of the policies that hold for a target, one of each type. */
export function policiesOf(view: View, target: PolicyTarget): string[] {
  return inForce(view, target).map(objectKey);
}

/** The older policy of the same type on the same target that counts instead, or null. */
export function supplanter(policy: Policy, view: View): Policy | null {
  const { targetRef, type } = policy.body.spec;
  const target = {
    ...targetRef,
    namespace: policy.namespace,
    section: targetRef.sectionName || undefined,
  };
  const ruling = inForce(view, target);
  if (ruling.includes(policy)) return null;
  return ruling.find(({ body }) => body.spec.type === type) ?? null;
}

/** What is in force of the policies in a list, by section: each policy and its target ask for it. */
const inForceOf = new WeakMap<readonly Policy[], Map<string, readonly Policy[]>>();

function inForce(view: View, { kind, namespace, name, section }: PolicyTarget): readonly Policy[] {
  const attached = view.select("ProxyPolicy", "policy-target", `${kind}/${namespace}/${name}`);
  let sections = inForceOf.get(attached);
  if (sections === undefined) inForceOf.set(attached, sections = new Map());
  const entry = `section ${section ?? ""}`;
  let found = sections.get(entry);
  if (found === undefined) sections.set(entry, found = firstOfTypes(attached, section));
  return found;
}

function firstOfTypes(attached: readonly Policy[], section: string | undefined): Policy[] {
  const types = new Set<string>();
  return attached
    .filter(({ body }) => (body.spec.targetRef.sectionName || undefined) === section)
    .sort(byAge)
    .filter(({ body: { spec: { type } } }) => {
      if (UNITED.has(type)) return true;
      const first = !types.has(type);
      types.add(type);
      return first;
    });
}

/** The oldest first; by name where ages are equal or unknown. */
function byAge(a: Policy, b: Policy): number {
  const [first, second] = [createdAt(a), createdAt(b)];
  const older = first < second ? -1 : first > second ? 1 : 0;
  return older || (fullName(a) < fullName(b) ? -1 : 1);
}
