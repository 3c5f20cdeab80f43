import { Kind, NO_VERSION, type Resource } from "../common/delta/resources.ts";
import { snapshotOf } from "../common/delta/snapshot.ts";
import { redactTree } from "../common/redact.ts";
import { FolderState } from "../controller/source/files/folder_state.ts";
import { type OfflineOptions, offlineTranslator } from "./offline_translator.ts";
import { Outcome } from "../proto/gen/novaedge/v1/distribution.ts";
import type { NamedFile } from "./files.ts";
import type { ShownConfig } from "./running.ts";

/** What a gateway with these files would show as its configuration. */
export function shownBy(
  files: readonly NamedFile[],
  options: OfflineOptions = {},
): ShownConfig {
  const { changes } = new FolderState().apply(files);
  // What depends on the installation's secret is redacted.
  const resources = offlineTranslator(options).update(changes)
    .map(({ resource }) => resource)
    .filter((resource): resource is Resource => resource !== null);
  const { gateways, routes, backends, policies, certificates } = snapshotOf(NO_VERSION, resources);
  const shown = redactTree({
    objects: resources.filter(({ kind }) => kind === Kind.KIND_OUTCOME)
      .map(({ body }) => Outcome.decode(body)),
    gateways,
    routes,
    backends,
    policies: policies.map(({ namespace, name, rule, closedReason }) => ({
      namespace,
      name,
      rule: rule?.$case ?? "",
      closedReason,
    })),
    certificates: certificates.map(({ namespace, name }) => ({ namespace, name })),
  });
  // As it comes over the wire.
  return JSON.parse(JSON.stringify(shown)) as ShownConfig;
}
