/**
 * The name that a Host field or :authority stands for: lower case, without port and trailing dot.
 * IPv6 literals keep their brackets.
 */
export function hostName(host: string): string {
  let end = host.length;
  if (host.charCodeAt(0) === 91) {
    const bracket = host.indexOf("]");
    if (bracket > 0) end = bracket + 1;
  } else {
    const colon = host.lastIndexOf(":");
    if (colon >= 0) end = colon;
    if (end > 0 && host.charCodeAt(end - 1) === 46) end--;
  }
  return host.slice(0, end).toLowerCase();
}

/** Suffixes of a name that a wildcard may stand for, most specific first: "a.b.c" gives ".b.c", ".c". */
export function* suffixes(name: string): Generator<string> {
  for (let dot = name.indexOf(".", 1); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    yield name.slice(dot);
  }
}

/** Values keyed by hostname: an exact name, a wildcard suffix "*.example.com", or any name. */
export class HostMap<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffix = new Map<string, T>();
  #any: T | undefined;

  get(hostname: string): T | undefined {
    if (hostname === "" || hostname === "*") return this.#any;
    return hostname.startsWith("*.")
      ? this.#suffix.get(hostname.slice(1))
      : this.#exact.get(hostname);
  }

  set(hostname: string, value: T): void {
    if (hostname === "" || hostname === "*") this.#any = value;
    else if (hostname.startsWith("*.")) this.#suffix.set(hostname.slice(1), value);
    else this.#exact.set(hostname, value);
  }

  delete(hostname: string): void {
    if (hostname === "" || hostname === "*") this.#any = undefined;
    else if (hostname.startsWith("*.")) this.#suffix.delete(hostname.slice(1));
    else this.#exact.delete(hostname);
  }

  /** All values whose hostname covers `name`, the most specific first. */
  lookup(name: string): T[] {
    const found: T[] = [];
    const exact = this.#exact.get(name);
    if (exact !== undefined) found.push(exact);
    if (this.#suffix.size > 0) {
      for (const suffix of suffixes(name)) {
        const value = this.#suffix.get(suffix);
        if (value !== undefined) found.push(value);
      }
    }
    if (this.#any !== undefined) found.push(this.#any);
    return found;
  }

  *values(): Generator<T> {
    yield* this.#exact.values();
    yield* this.#suffix.values();
    if (this.#any !== undefined) yield this.#any;
  }
}
