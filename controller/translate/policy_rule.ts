import type { Backend, Policy } from "../../proto/gen/novaedge/v1/config.ts";
import type { SourceObject } from "./source_object.ts";

export type PolicyObject = SourceObject<"ProxyPolicy">;

/** What a policy asks for, or why it cannot be kept. */
export type TranslatedRule =
  | {
    readonly rule: NonNullable<Policy["rule"]>;
    readonly backend?: Backend;
    /** What of it cannot be kept, while the rest holds. */
    readonly remarks?: readonly string[];
  }
  /** @property reason of the condition; `resolved` false says that a reference is at fault */
  | { readonly problem: string; readonly reason: string; readonly resolved?: boolean };
