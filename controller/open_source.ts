import type { Logger } from "../common/log.ts";
import type { ControllerFlags } from "./controller.ts";
import { FileSource } from "./source/files/file_source.ts";
import { LastGoodFile } from "./source/files/last_good.ts";
import { type ApiAccess, kubeconfigAccess, podAccess } from "./source/kubernetes/api_access.ts";
import { ApiClient } from "./source/kubernetes/api_client.ts";
import { KubernetesSource } from "./source/kubernetes/kubernetes_source.ts";
import type { Source, SourceSink } from "./source/source.ts";

/** A cluster where one is named, otherwise a folder of files. */
export async function openSource(
  flags: ControllerFlags,
  sink: SourceSink,
  log: Logger,
): Promise<Source> {
  const access = accessOf(flags);
  if (access !== null) return new KubernetesSource(new ApiClient(access), sink, log, Math.random);
  const lastGood = await LastGoodFile.open(`${flags["state-dir"]}/last_good`);
  return new FileSource(flags.resources, sink, lastGood, log);
}

function accessOf(flags: ControllerFlags): ApiAccess | null {
  const read = (path: string) => Deno.readTextFileSync(path);
  if (flags.kubeconfig !== "") return kubeconfigAccess(flags.kubeconfig, read);
  if (!flags["in-cluster"]) return null;
  const variable = (name: string) => Deno.env.get(`KUBERNETES_SERVICE_${name}`) ?? "";
  return podAccess({ host: variable("HOST"), port: variable("PORT") }, read);
}
