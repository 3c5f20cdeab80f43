import { isIP } from "node:net";
import type { Node as NodeObject } from "../../api/core.ts";
import { Kind } from "../../common/delta/resources.ts";
import { Node } from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { objectKey, type SourceObject } from "./source_object.ts";

/** Translates a Node: nodes get its addresses, which no backend may be at. */
export function deriveNode(object: SourceObject<"Node">): Derived {
  const { status } = object.body as NodeObject;
  const addresses = (status?.addresses ?? []).map(({ address }) => address)
    .filter((address) => isIP(address) !== 0 && !address.includes("%"));
  const body = Node.encode({ addresses: [...new Set(addresses)].sort() }).finish();
  return {
    outcome: new Conditions().expect("Accepted").outcome(object),
    resources: addresses.length === 0
      ? []
      : [{ kind: Kind.KIND_NODE, name: objectKey(object), body }],
  };
}
