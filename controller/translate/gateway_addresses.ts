import { isIP } from "node:net";
import type { AddressAnswer } from "./address_book.ts";
import { createdAt, objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** How objects write the addresses that they want. */
export type WantedAddresses = readonly { readonly type?: string; readonly value?: string }[];

/** Addresses that are named: without those of other types and without wishes for any. */
function named(wanted: WantedAddresses): string[] {
  return wanted.flatMap(({ type = "IPAddress", value = "" }) =>
    type === "IPAddress" && isIP(value) !== 0 ? [value] : []
  );
}

/** Asks for addresses and tells which there are; without a book those that are named. */
export function requestAddresses(
  object: SourceObject,
  wanted: WantedAddresses,
  pools: readonly string[],
  view: View,
): AddressAnswer {
  const any = wanted.length === 0 ||
    wanted.some(({ type = "IPAddress", value = "" }) => type === "IPAddress" && value === "");
  const key = objectKey(object);
  view.requestAddresses({ key, created: createdAt(object), named: named(wanted), any, pools });
  return view.addressesOf(key) ?? { addresses: named(wanted), reason: "", message: "" };
}

/** The addresses that listeners bind, by the key of what has them; "" for every one. */
export function boundAddresses(
  key: string,
  wanted: WantedAddresses,
  view: View,
): readonly string[] {
  const answer = view.addressesOf(key);
  if (answer !== null) return answer.addresses;
  const own = named(wanted);
  return own.length > 0 ? own : [""];
}

/** The addresses that a Gateway's listeners bind. */
export function gatewayAddresses(gateway: SourceObject<"Gateway">, view: View): readonly string[] {
  return boundAddresses(objectKey(gateway), gateway.body.spec.addresses ?? [], view);
}
