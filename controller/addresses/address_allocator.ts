import { isDeepStrictEqual } from "node:util";
import type { AddressAnswer, AddressBook, AddressRequest } from "../translate/address_book.ts";
import { type AddressRange, canonical, firstFree, rangeOf, within } from "./address_range.ts";

/**
 * Hands out addresses to Gateways. What a Gateway has it keeps as long as its pools hold it; several have
 * one together only when all of them name it. Pure: what was there before comes from outside.
 */
export class AddressAllocator implements AddressBook {
  readonly #held: (key: string) => readonly string[];
  readonly #requests = new Map<string, AddressRequest>();
  readonly #answers = new Map<string, AddressAnswer>();
  /** Addresses that nobody named, by Gateway. */
  readonly #given = new Map<string, readonly string[]>();

  /** @param held addresses that a Gateway had before anybody asked here, from its status */
  constructor(held: (key: string) => readonly string[]) {
    this.#held = held;
  }

  answer(key: string): AddressAnswer | undefined {
    return this.#answers.get(key);
  }

  request(changes: ReadonlyMap<string, AddressRequest | null>): string[] {
    for (const [key, request] of changes) {
      if (request !== null) this.#requests.set(key, request);
      else {
        this.#requests.delete(key);
        this.#given.delete(key);
      }
    }
    return this.#settle();
  }

  /**
   * Takes over what Gateways have by their statuses: another controller handed out addresses until now.
   * @returns keys of the Gateways whose answer changed
   */
  adopt(): string[] {
    for (const key of this.#requests.keys()) {
      if (this.#held(key).length > 0) this.#given.delete(key);
    }
    return this.#settle();
  }

  #settle(): string[] {
    const requests = [...this.#requests.values()].sort((a, b) =>
      a.created < b.created ? -1 : a.created > b.created ? 1 : a.key < b.key ? -1 : 1
    );
    const pools = new Map(requests.map(({ key, pools }) => [key, pools.map(rangeOf)]));
    const named = new Set<string>();
    for (const { key, named: own } of requests) {
      for (const address of own) {
        if (within(pools.get(key)!, address)) named.add(canonical(address));
      }
    }
    // First those that have something, then those that want something.
    const owners = new Map<string, string>();
    const kept = new Map<string, string[]>();
    for (const { key, any } of requests) {
      if (!any) continue;
      const before = this.#given.get(key) ?? this.#held(key).map(canonical);
      const still = before.filter((address, index) =>
        within(pools.get(key)!, address) && !owners.has(address) &&
        before.findIndex((other) => familyOf(other) === familyOf(address)) === index &&
        (this.#given.has(key) || !named.has(address))
      );
      for (const address of still) owners.set(address, key);
      kept.set(key, still);
    }
    for (const { key, any } of requests) {
      if (!any) {
        this.#given.delete(key);
        continue;
      }
      const own = kept.get(key)!;
      for (const family of familiesOf(pools.get(key)!)) {
        if (own.some((address) => familyOf(address) === family[0].bits)) continue;
        const found = firstFree(family, (address) => owners.has(address) || named.has(address));
        if (found === null) continue;
        owners.set(found, key);
        own.push(found);
      }
      this.#given.set(key, own);
    }
    return this.#answered(requests, pools, owners);
  }

  #answered(
    requests: readonly AddressRequest[],
    pools: ReadonlyMap<string, AddressRange[]>,
    owners: ReadonlyMap<string, string>,
  ): string[] {
    const changed: string[] = [];
    for (const key of this.#answers.keys()) {
      if (this.#requests.has(key)) continue;
      this.#answers.delete(key);
      changed.push(key);
    }
    for (const request of requests) {
      const answer = this.#answerTo(request, pools.get(request.key)!, owners);
      if (isDeepStrictEqual(answer, this.#answers.get(request.key))) continue;
      this.#answers.set(request.key, answer);
      changed.push(request.key);
    }
    return changed;
  }

  #answerTo(
    { key, named, any }: AddressRequest,
    pools: readonly AddressRange[],
    owners: ReadonlyMap<string, string>,
  ): AddressAnswer {
    const problems: string[] = [];
    const usable = named.filter((address) => {
      const owner = owners.get(canonical(address));
      if (!within(pools, address)) problems.push(`${address} is in no pool of the GatewayClass`);
      else if (owner !== undefined) problems.push(`${address} is that of ${owner}`);
      else return true;
      return false;
    });
    const given = any ? this.#given.get(key)! : [];
    const addresses = [...new Set([...usable, ...given])];
    if (problems.length > 0) {
      return { addresses, reason: "AddressNotUsable", message: problems.join("; ") };
    }
    if (any && given.length === 0) {
      const message = pools.length === 0
        ? "the GatewayClass names no address pools (parametersRef)"
        : "no address of the pools is free";
      return { addresses, reason: "AddressNotAssigned", message };
    }
    return { addresses, reason: "", message: "" };
  }
}

function familyOf(address: string): 32 | 128 {
  return address.includes(":") ? 128 : 32;
}

/** The ranges by family; none where there is none. */
function familiesOf(ranges: readonly AddressRange[]): AddressRange[][] {
  return [32, 128].map((bits) => ranges.filter((range) => range.bits === bits)).filter((family) =>
    family.length > 0
  );
}
