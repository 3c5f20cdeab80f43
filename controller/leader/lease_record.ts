/** A Lease as the API server has it (coordination.k8s.io/v1). */
export interface Lease {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
}

/** Where the leader serves agents. */
export const ADDRESS = "novaedge.io/address";
/** What the leader has published: the highest resourceVersion of each kind, as JSON. */
export const PUBLISHED = "novaedge.io/published";

/** Who holds a lease, and what it says beside that. */
export interface Holder {
  /** "" for nobody: it was released. */
  readonly identity: string;
  /** Grows with each change of the holder. */
  readonly term: number;
  readonly address: string;
  readonly published: Readonly<Record<string, string>>;
}

/** Reads a lease; what somebody else wrote into it counts as nothing. */
export function holderIn({ spec = {}, metadata: { annotations = {} } }: Lease): Holder {
  let published: Record<string, string> = {};
  try {
    published = JSON.parse(annotations[PUBLISHED] ?? "{}");
  } catch {
    // Whoever leads next waits for nothing then, and reads everything anew.
  }
  return {
    identity: spec.holderIdentity ?? "",
    term: spec.leaseTransitions ?? 0,
    address: annotations[ADDRESS] ?? "",
    published,
  };
}
