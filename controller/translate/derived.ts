import type { Kind } from "../../common/delta/resources.ts";
import type { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";

/** What one source object becomes: its outcome, and the resource that nodes get, if any. */
export interface Derived {
  readonly outcome: Outcome;
  readonly resource: { readonly kind: Kind; readonly body: Uint8Array } | null;
}
