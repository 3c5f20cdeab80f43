import { Kind } from "../common/delta/resources.ts";
import { type FileText, FolderState } from "../controller/source/files/folder_state.ts";
import { type OfflineOptions, offlineTranslator } from "./offline_translator.ts";
import { compileRoute } from "../dataplane/router/compile.ts";
import { ambiguous, askedAddress, explain, type Explanation } from "../dataplane/router/explain.ts";
import {
  type ListenerState,
  listenerState,
  portTable,
} from "../dataplane/router/listener_state.ts";
import { Gateway, Route } from "../proto/gen/novaedge/v1/config.ts";

/** A request that is asked about. */
export interface AskedRequest {
  readonly method: string;
  readonly url: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
}

/** The tables that a folder of resources gives, without a gateway that runs. */
export class OfflineTables {
  /** What the folder's files have wrong. */
  readonly problems: ReturnType<FolderState["problems"]>;
  readonly #listeners: ListenerState[] = [];

  /** @param files texts by name */
  constructor(files: Iterable<readonly [string, FileText]>, options: OfflineOptions = {}) {
    const state = new FolderState();
    const { changes } = state.apply(files);
    this.problems = state.problems();
    const updates = offlineTranslator(options).update(changes);
    const listeners = new Map<string, ListenerState>();
    for (const { kind, name, resource } of updates) {
      if (kind !== Kind.KIND_GATEWAY || resource === null) continue;
      const gateway = Gateway.decode(resource.body);
      for (const listener of gateway.listeners) {
        const made = listenerState(name, gateway, listener);
        listeners.set(made.key, made);
      }
    }
    for (const { kind, name, resource } of updates) {
      if (kind !== Kind.KIND_ROUTE || resource === null) continue;
      const route = compileRoute(name, Route.decode(resource.body));
      for (const key of route.listeners) listeners.get(key)?.table.add(route);
    }
    this.#listeners = [...listeners.values()].sort((a, b) => a.key < b.key ? -1 : 1);
  }

  /**
   * What a gateway with these resources would do with a request.
   * @throws {TypeError} for a URL that cannot be read
   */
  why({ method, url: text, headers }: AskedRequest): Explanation | { readonly reason: string } {
    const url = new URL(text);
    const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
    const listeners = this.#listeners.filter((listener) => listener.port === port);
    if (listeners.length === 0) return { reason: `no listener on port ${port}` };
    const addresses = [...new Set(listeners.flatMap(({ addresses }) => addresses))];
    const address = askedAddress(addresses, url.hostname);
    if (address === null) return ambiguous(port, addresses);
    const there = listeners.filter((listener) => listener.addresses.includes(address));
    // The path as written, not as the URL parser would mend it.
    const rawPath = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(text)?.[1] || "/";
    return explain(portTable(there), headers.get("host") ?? url.host, rawPath, {
      method,
      query: url.search.slice(1),
      header: (name) => headers.get(name) ?? null,
      clientAddress: () => headers.get("x-forwarded-for") ?? "127.0.0.1",
      scheme: url.protocol.slice(0, -1),
      listenerPort: port,
    });
  }
}
