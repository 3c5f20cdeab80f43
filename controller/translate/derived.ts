import type { Kind } from "../../common/delta/resources.ts";
import type { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";

/** A resource that nodes get. */
export interface DerivedResource {
  readonly kind: Kind;
  /** Unique within its kind: the key of the object it comes from, with what tells its parts apart. */
  readonly name: string;
  readonly body: Uint8Array;
}

/** What one source object becomes: its outcome, and what nodes get of it. */
export interface Derived {
  readonly outcome: Outcome;
  readonly resources: readonly DerivedResource[];
  /** Labels of the nodes that serve a Gateway; undefined for other objects. */
  readonly nodeSelector?: Readonly<Record<string, string>>;
}
