import { messageOf } from "../common/errors.ts";

/** Something with a namespace and a name. */
export interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** A listener as the admin API shows it. */
export interface ShownListener {
  readonly name: string;
  readonly port: number;
  readonly protocol: number;
  readonly bindAddresses: readonly string[];
}

/** The configuration of a gateway as its admin API shows it, secrets redacted. */
export interface ShownConfig {
  readonly objects: readonly (Named & { readonly kind: string })[];
  readonly gateways: readonly (Named & { readonly listeners: readonly ShownListener[] })[];
  readonly routes: readonly Named[];
  readonly backends: readonly Named[];
  readonly policies: readonly Named[];
  readonly certificates: readonly Named[];
}

const LISTS = ["objects", "gateways", "routes", "backends", "policies", "certificates"] as const;
/** Milliseconds for a response. */
const TIMEOUT = 10_000;

/**
 * Asks a gateway that runs for its configuration.
 * @param base URL of its admin API
 * @throws {Error} when it does not answer, or with something else
 */
export async function runningConfig(base: string): Promise<ShownConfig> {
  const url = new URL("/config", base);
  let config: Partial<Record<typeof LISTS[number], unknown>>;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    config = await response.json();
  } catch (error) {
    throw new Error(`cannot read ${url}: ${messageOf(error)}`, { cause: error });
  }
  const missing = LISTS.find((list) => !Array.isArray(config[list]));
  if (missing !== undefined) throw new Error(`${url} is no admin API: it shows no ${missing}`);
  return config as ShownConfig;
}
