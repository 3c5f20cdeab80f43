import { Buffer } from "node:buffer";
import { join } from "node:path";
import { type ApiClient, ApiError, type ApiObject } from "./source/kubernetes/api_client.ts";

const LENGTH = 32;
/** Name and key of the Secret that controllers of one cluster share. */
const NAME = "novaedge-installation";
const KEY = "secret";

/**
 * The secret of this installation, made at its first start and kept beside the controller's state: keys
 * for cookies come from it, so that these outlive restarts.
 */
export async function installationSecret(folder: string): Promise<Uint8Array> {
  const path = join(folder, "secret");
  try {
    const known = await Deno.readFile(path);
    if (known.length === LENGTH) return known;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const secret = crypto.getRandomValues(new Uint8Array(LENGTH));
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  await Deno.writeFile(`${path}.new`, secret, { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
  return secret;
}

/**
 * The same of a cluster, in a Secret: whichever controller leads, cookies stay valid.
 * @throws {ApiError} when the API server does not answer or refuses; {@link Error} when the Secret holds none
 */
export async function clusterInstallationSecret(
  client: Pick<ApiClient, "request">,
  namespace: string,
): Promise<Uint8Array> {
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const known = await unless(404, client.request(`${secrets}/${NAME}`));
  if (known !== null) return secretOf(known, namespace);
  const data = { [KEY]: crypto.getRandomValues(Buffer.alloc(LENGTH)).toString("base64") };
  const body = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: NAME, namespace },
    data,
  };
  const made = await unless(409, client.request(secrets, { method: "POST", body }));
  // Another controller may have been faster: its one counts.
  return secretOf(made ?? await client.request(`${secrets}/${NAME}`), namespace);
}

function secretOf({ data }: ApiObject, namespace: string): Uint8Array {
  const { [KEY]: text = "" } = (data ?? {}) as Record<string, string>;
  const secret = Buffer.from(text, "base64");
  if (secret.length === LENGTH) return secret;
  throw new Error(`Secret ${namespace}/${NAME}: ${KEY} is not of ${LENGTH} bytes`);
}

/** What comes, or null where the API server answers with this status. */
async function unless(status: number, answer: Promise<ApiObject>): Promise<ApiObject | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === status) return null;
    throw error;
  }
}
