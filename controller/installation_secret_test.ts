import assert from "node:assert/strict";
import { clusterInstallationSecret, installationSecret } from "./installation_secret.ts";
import { ApiError, type ApiObject } from "./source/kubernetes/api_client.ts";

/** The Secrets of an API server that refuses a second one of the same name. */
function secrets(inTheMeantime?: ApiObject) {
  let kept: ApiObject | null = null;
  return {
    request<T>(path: string, options: { method?: string; body?: unknown } = {}): Promise<T> {
      if (options.method === "POST") {
        kept ??= inTheMeantime ?? null;
        if (kept !== null) return Promise.reject(new ApiError(409, "AlreadyExists", path));
        kept = options.body as ApiObject;
      }
      if (kept === null) return Promise.reject(new ApiError(404, "NotFound", path));
      return Promise.resolve(kept as T);
    },
  };
}

Deno.test("the secret of a folder outlives restarts", async () => {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-" });
  const first = await installationSecret(folder);
  assert.equal(first.length, 32);
  assert.deepEqual(await installationSecret(folder), first);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("bug: each controller of a cluster had a secret of its own, and cookies ended with its lead", async () => {
  const client = secrets();
  const first = await clusterInstallationSecret(client, "edge");
  assert.equal(first.length, 32);
  assert.deepEqual(await clusterInstallationSecret(client, "edge"), first);
});

Deno.test("of two controllers that make the secret at once the first one's counts", async () => {
  const theirs = {
    metadata: { name: "novaedge-installation", resourceVersion: "1" },
    data: { secret: btoa("x".repeat(32)) },
  };
  const secret = await clusterInstallationSecret(secrets(theirs), "edge");
  assert.equal(new TextDecoder().decode(secret), "x".repeat(32));
});

Deno.test("a Secret without a secret is refused instead of making keys that everybody knows", async () => {
  const empty = { metadata: { name: "novaedge-installation", resourceVersion: "1" }, data: {} };
  await assert.rejects(
    clusterInstallationSecret(secrets(empty), "edge"),
    /Secret edge\/novaedge-installation: secret is not of 32 bytes/,
  );
});
