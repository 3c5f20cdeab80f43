import { progress } from "./print.ts";
import { CADDY } from "./proxies/caddy.ts";
import { HAPROXY } from "./proxies/haproxy.ts";
import { NGINX } from "./proxies/nginx.ts";
import { NOVAEDGE, NOVAEDGE_NATIVE } from "./proxies/novaedge.ts";
import type { ProxyKind, ProxySetup, RunningProxy } from "./proxies/proxy.ts";
import { RELAY } from "./proxies/relay.ts";
import { freePort } from "./ports.ts";
import { type Scene, until } from "./scene.ts";

/** Everything that may be compared. */
const PROXIES: readonly ProxyKind[] = [NOVAEDGE, NOVAEDGE_NATIVE, NGINX, HAPROXY, CADDY, RELAY];

/** Names of everything that may be compared. */
export const PROXY_NAMES: readonly string[] = PROXIES.map(({ name }) => name);

/** A proxy that has part in a comparison. */
export interface Entrant {
  readonly name: string;
  readonly version: string;
  readonly note: string;
  readonly errors: string[];
}

/** A proxy that answers. */
export interface Contender {
  readonly port: number;
  readonly running: RunningProxy;
  /** The entrant it belongs to, by its place. */
  readonly index: number;
}

/** Who has part in a comparison, and why others have not. */
export interface Line {
  readonly entrants: readonly Entrant[];
  readonly contenders: readonly Contender[];
  readonly leftOut: readonly string[];
}

/**
 * Starts every proxy that is asked for, is installed and can take part.
 * @param names of those that are asked for
 * @param answers whether the proxy on a port serves what is asked of it
 */
export async function lineUp(
  what: string,
  scene: Scene,
  names: readonly string[],
  setup: Omit<ProxySetup, "port">,
  answers: (port: number) => Promise<boolean>,
): Promise<Line> {
  const entrants: Entrant[] = [];
  const contenders: Contender[] = [];
  const leftOut: string[] = [];
  for (const kind of PROXIES) {
    if (!names.includes(kind.name)) continue;
    const version = await kind.version();
    const excuse = version === null ? "it is not installed" : kind.excuse?.(setup) ?? null;
    if (version === null || excuse !== null) {
      leftOut.push(`${kind.name}: ${excuse}`);
      continue;
    }
    progress(`${what}: starting ${kind.name}`);
    const entrant: Entrant = { name: kind.name, version, note: kind.note, errors: [] };
    const index = entrants.push(entrant) - 1;
    const port = freePort();
    const others = scene.children.length;
    try {
      const running = await kind.start(scene, { ...setup, port });
      const own = scene.children.slice(others);
      await until(`an answer of ${kind.name}`, own, () => answers(port));
      contenders.push({ port, running, index });
    } catch (error) {
      entrant.errors.push(`did not start: ${(error as Error).message}`);
    }
  }
  return { entrants, contenders, leftOut };
}
