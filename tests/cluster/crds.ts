import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { type ApiClient, ApiError } from "../../controller/source/kubernetes/api_client.ts";
import { run } from "./binaries.ts";

const ROOT = join(import.meta.dirname!, "../..");
const GATEWAY_API = "sigs.k8s.io/gateway-api";

/** Text of the YAML files of a folder. */
function yamlOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.endsWith(".yaml") && name !== "kustomization.yaml"
  ).sort().map((name) => Deno.readTextFileSync(join(folder, name)));
}

/** The definitions of our own kinds. */
export function ownCrds(): string[] {
  return yamlOf(join(ROOT, "deploy/crds"));
}

/** The definitions of the Gateway API, unmodified, from its Go module. */
export async function gatewayCrds(
  version: string,
  channel: "standard" | "experimental",
): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-crds-" });
  try {
    // It may say that it wants a newer Go than there is; its files are there all the same.
    await run("go", ["mod", "download", `${GATEWAY_API}@${version}`], folder).catch(() => {});
    const cache = (await run("go", ["env", "GOMODCACHE"], folder)).trim();
    return yamlOf(join(cache, `${GATEWAY_API}@${version}`, "config/crd", channel));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Definition {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const PLURALS: Readonly<Record<string, string>> = {
  CustomResourceDefinition: "customresourcedefinitions",
  ValidatingAdmissionPolicy: "validatingadmissionpolicies",
  ValidatingAdmissionPolicyBinding: "validatingadmissionpolicybindings",
};

/** Installs definitions and waits until the kinds are served. */
export async function install(client: ApiClient, texts: readonly string[]): Promise<void> {
  const definitions = texts.flatMap((text) =>
    parseAllDocuments(text).map((document) => document.toJS() as Definition | null)
  ).filter((definition) => definition !== null);
  for (const definition of definitions) {
    const path = `/apis/${definition.apiVersion}/${PLURALS[definition.kind]}`;
    try {
      await client.request(path, { method: "POST", body: definition });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
    }
  }
  for (const { kind, apiVersion, metadata: { name } } of definitions) {
    if (kind !== "CustomResourceDefinition") continue;
    for (;;) {
      interface Established {
        status?: { conditions?: { type: string; status: string }[] };
      }
      const { status } = await client.request<Established>(
        `/apis/${apiVersion}/customresourcedefinitions/${name}`,
      );
      const established = status?.conditions?.some((condition) =>
        condition.type === "Established" && condition.status === "True"
      );
      if (established === true) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
