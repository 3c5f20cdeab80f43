import { networksOf } from "../common/network_flag.ts";
import { Translator } from "../controller/translate/translator.ts";

/** What a translation without a gateway takes from the command line. */
export interface OfflineOptions {
  /** Networks (CIDR) that Services of type ExternalName may lead to. */
  readonly externalNetworks?: readonly string[];
}

/** The flag of `controller` that commands understand too. */
export const EXTERNAL_NETWORKS = "external-name-networks";

/** Reads the options from the values of a command's flags. */
export function offlineOptions(
  values: Readonly<Partial<Record<typeof EXTERNAL_NETWORKS, string>>>,
): OfflineOptions {
  const text = values[EXTERNAL_NETWORKS] ?? "";
  return { externalNetworks: networksOf(EXTERNAL_NETWORKS, text) };
}

/** Returns a translator for a folder. No result depends on the secret of an installation. */
export function offlineTranslator(options: OfflineOptions): Translator {
  return new Translator({ ...options, secret: new Uint8Array(32) });
}
