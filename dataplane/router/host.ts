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

/** The port that a Host field or :authority names, 0 for none. */
export function hostPort(host: string): number {
  const colon = host.lastIndexOf(":");
  // Of an IPv6 literal the colons are within its brackets.
  return colon > host.lastIndexOf("]") ? Number(host.slice(colon + 1)) || 0 : 0;
}

/** Suffixes of a name that a wildcard may stand for, most specific first: "a.b.c" gives ".b.c", ".c". */
export function* suffixes(name: string): Generator<string> {
  for (let dot = name.indexOf(".", 1); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    yield name.slice(dot);
  }
}

/** Prefixes of a name that a wildcard may follow, most specific first: "a.b.c" gives "a.b.", "a.". */
export function* prefixes(name: string): Generator<string> {
  for (let dot = name.lastIndexOf("."); dot > 0; dot = name.lastIndexOf(".", dot - 1)) {
    yield name.slice(0, dot + 1);
  }
}

/**
 * Values keyed by hostname: an exact name, a wildcard for one label "?.example.com" (what "*." means in an
 * Ingress), a wildcard for one or more labels "*.example.com", a wildcard prefix "api.*", or any name.
 */
export class HostMap<T> {
  readonly #exact = new Map<string, T>();
  readonly #label = new Map<string, T>();
  readonly #suffix = new Map<string, T>();
  readonly #prefix = new Map<string, T>();
  #any: T | undefined;

  get(hostname: string): T | undefined {
    if (isAny(hostname)) return this.#any;
    const [map, key] = this.#place(hostname);
    return map.get(key);
  }

  set(hostname: string, value: T): void {
    if (isAny(hostname)) {
      this.#any = value;
      return;
    }
    const [map, key] = this.#place(hostname);
    map.set(key, value);
  }

  delete(hostname: string): void {
    if (isAny(hostname)) {
      this.#any = undefined;
      return;
    }
    const [map, key] = this.#place(hostname);
    map.delete(key);
  }

  #place(hostname: string): [Map<string, T>, string] {
    if (hostname.startsWith("?.")) return [this.#label, hostname.slice(1)];
    if (hostname.startsWith("*.")) return [this.#suffix, hostname.slice(1)];
    if (hostname.endsWith(".*")) return [this.#prefix, hostname.slice(0, -1)];
    return [this.#exact, hostname];
  }

  /** All values whose hostname covers `name`, the most specific first. */
  lookup(name: string): T[] {
    const found: T[] = [];
    const exact = this.#exact.get(name);
    if (exact !== undefined) found.push(exact);
    if (this.#label.size > 0) {
      const dot = name.indexOf(".", 1);
      const value = dot < 0 ? undefined : this.#label.get(name.slice(dot));
      if (value !== undefined) found.push(value);
    }
    if (this.#suffix.size > 0) {
      for (const suffix of suffixes(name)) {
        const value = this.#suffix.get(suffix);
        if (value !== undefined) found.push(value);
      }
    }
    if (this.#prefix.size > 0) {
      for (const prefix of prefixes(name)) {
        const value = this.#prefix.get(prefix);
        if (value !== undefined) found.push(value);
      }
    }
    if (this.#any !== undefined) found.push(this.#any);
    return found;
  }

  *values(): Generator<T> {
    yield* this.#exact.values();
    yield* this.#label.values();
    yield* this.#suffix.values();
    yield* this.#prefix.values();
    if (this.#any !== undefined) yield this.#any;
  }
}

function isAny(hostname: string): boolean {
  return hostname === "" || hostname === "*";
}
