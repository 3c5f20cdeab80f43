/** What a Gateway, or a class of Ingresses, asks for. */
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

/** Before a request was taken in. */
export const NOT_YET: AddressAnswer = { addresses: [], reason: "AddressNotAssigned", message: "" };
