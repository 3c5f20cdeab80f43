import type { Logger } from "../common/log.ts";
import type { ControllerFlags } from "./controller_flags.ts";
import { FileSource } from "./source/files/file_source.ts";
import { LastGoodFile } from "./source/files/last_good.ts";
import { type ApiAccess, kubeconfigAccess, podAccess } from "./source/kubernetes/api_access.ts";
import type { Source, SourceSink } from "./source/source.ts";

/** A folder of files. */
export async function openFolder(
  flags: ControllerFlags,
  sink: SourceSink,
  log: Logger,
): Promise<Source> {
  const lastGood = await LastGoodFile.open(`${flags["state-dir"]}/last_good`);
  return new FileSource(flags.resources, sink, lastGood, log);
}

/** How the cluster that the flags name is reached; null where they name none. */
export function clusterAccess(flags: ControllerFlags): ApiAccess | null {
  const read = (path: string) => Deno.readTextFileSync(path);
  if (flags.kubeconfig !== "") return kubeconfigAccess(flags.kubeconfig, read);
  if (!flags["in-cluster"]) return null;
  const variable = (name: string) => Deno.env.get(`KUBERNETES_SERVICE_${name}`) ?? "";
  return podAccess({ host: variable("HOST"), port: variable("PORT") }, read);
}
