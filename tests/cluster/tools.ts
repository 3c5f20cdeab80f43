import { ApiServer } from "./api_server.ts";
import { buildProblem, run } from "./binaries.ts";

/** Debian packages by a program that each brings. */
const PACKAGES: Readonly<Record<string, string>> = {
  containerd: "containerd",
  runc: "runc",
  nft: "nftables",
  iptables: "iptables",
  conntrack: "conntrack",
  ip: "iproute2",
};
const PLUGINS = "/usr/lib/cni/bridge";

/** Why no whole cluster can run here; "" when one can. What is missing is installed where that is possible. */
export async function clusterProblem(): Promise<string> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "needs root on Linux";
  const build = await buildProblem();
  if (build !== "") return build;
  const missing = await missingPackages();
  if (missing.length === 0) return "";
  const install = ["install", "-y", "-q", "--no-install-recommends", ...missing];
  try {
    await run("apt-get", ["update", "-q"], "/");
    await run("env", ["DEBIAN_FRONTEND=noninteractive", "apt-get", ...install], "/");
  } catch {
    // What is missing still is named below.
  }
  const still = await missingPackages();
  return still.length === 0 ? "" : `needs ${still.join(", ")}`;
}

async function missingPackages(): Promise<string[]> {
  const missing: string[] = [];
  for (const [program, name] of Object.entries(PACKAGES)) {
    const found = await run("sh", ["-c", `command -v ${program} || ls /usr/sbin/${program}`], "/")
      .then(() => true, () => false);
    if (!found) missing.push(name);
  }
  const plugins = await Deno.stat(PLUGINS).then(() => true, () => false);
  return plugins ? missing : [...missing, "containernetworking-plugins"];
}

const problem = await buildProblem();

/** A test with an API server of its own; skipped where none can be built, and its name says why. */
export function withApiServer(name: string, body: (api: ApiServer) => Promise<void>): void {
  Deno.test({
    name: problem === "" ? name : `${name} (${problem})`,
    ignore: problem !== "",
    async fn() {
      await using api = await ApiServer.start();
      await body(api);
    },
  });
}
