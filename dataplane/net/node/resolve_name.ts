import dns from "node:dns";
import type { Resolved } from "../resolver.ts";

/** Milliseconds for which an answer of the system's own files is used. */
const LOCAL_TTL = 30_000;

interface Timed {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/** Addresses of a name of both families: from the name servers with their TTL, else from the system. */
export async function resolveName(name: string): Promise<Resolved> {
  // A dot at the end or inside a name says that it is one of the name servers'; others are local.
  const asked = name.includes(".") ? await askServers(name) : [];
  if (asked.length > 0) {
    return {
      addresses: asked.map(({ address }) => address),
      ttl: Math.min(...asked.map(({ ttl }) => ttl)) * 1000,
    };
  }
  const found = await dns.promises.lookup(name, { all: true });
  return { addresses: found.map(({ address }) => address), ttl: LOCAL_TTL };
}

async function askServers(name: string): Promise<Timed[]> {
  const none = (): Timed[] => [];
  const [v4, v6] = await Promise.all([
    dns.promises.resolve4(name, { ttl: true }).catch(none),
    dns.promises.resolve6(name, { ttl: true }).catch(none),
  ]);
  return [...v4, ...v6];
}
