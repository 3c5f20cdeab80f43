import { join } from "node:path";

const LENGTH = 32;

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
