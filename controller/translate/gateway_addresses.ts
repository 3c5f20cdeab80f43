import { isIP } from "node:net";
import type { Parameters } from "./gateway_parameters.ts";
import { createdAt, objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** What a Gateway asks for. */
export interface AddressRequest {
  /** Key of the Gateway. */
  readonly key: string;
  /** When it was made, in a form that sorts: the older is served first. */
  readonly created: string;
  /** Addresses it names itself. */
  readonly named: readonly string[];
  /** Whether it wants one that it does not name. */
  readonly any: boolean;
  /** Networks that they must be of. */
  readonly pools: readonly string[];
}

/** What a Gateway got. */
export interface AddressAnswer {
  readonly addresses: readonly string[];
  /** Why it did not get all that it asked for, "" when it did. */
  readonly reason: "" | "AddressNotAssigned" | "AddressNotUsable";
  readonly message: string;
}

/** Who hands out addresses. */
export interface AddressBook {
  /** What the Gateway has now, undefined before its request was taken in. */
  answer(key: string): AddressAnswer | undefined;
  /**
   * Takes in requests that are new or changed; null ends one.
   * @returns keys of the Gateways whose answer changed
   */
  request(changes: ReadonlyMap<string, AddressRequest | null>): string[];
  /** Begins anew from what is known outside; returns keys as `request` does. */
  adopt(): string[];
}

const NOT_YET: AddressAnswer = { addresses: [], reason: "AddressNotAssigned", message: "" };

/** Addresses that the Gateway names: without those of other types and without wishes for any. */
function named({ body: { spec } }: SourceObject<"Gateway">): string[] {
  return (spec.addresses ?? []).flatMap(({ type = "IPAddress", value = "" }) =>
    type === "IPAddress" && isIP(value) !== 0 ? [value] : []
  );
}

/** Asks for the addresses of a Gateway and tells which it has; without a book those it names itself. */
export function requestAddresses(
  gateway: SourceObject<"Gateway">,
  { pools }: Parameters,
  view: View,
): AddressAnswer {
  const { addresses = [] } = gateway.body.spec;
  const any = addresses.length === 0 ||
    addresses.some(({ type = "IPAddress", value = "" }) => type === "IPAddress" && value === "");
  const key = objectKey(gateway);
  view.requestAddresses({ key, created: createdAt(gateway), named: named(gateway), any, pools });
  return view.addressesOf(key) ?? { addresses: named(gateway), reason: "", message: "" };
}

/** The addresses that a Gateway's listeners bind; "" for every one. */
export function boundAddresses(gateway: SourceObject<"Gateway">, view: View): readonly string[] {
  const answer = view.addressesOf(objectKey(gateway));
  if (answer !== null) return answer.addresses;
  const own = named(gateway);
  return own.length > 0 ? own : [""];
}

export { NOT_YET };
