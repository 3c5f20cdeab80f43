import { ApiServer } from "./api_server.ts";

/** Why programs of Kubernetes cannot be built here; "" when they can. */
async function missing(): Promise<string> {
  try {
    const { stdout } = await new Deno.Command("go", { args: ["version"] }).output();
    const version = /go1\.(\d+)/.exec(new TextDecoder().decode(stdout))?.[1];
    return Number(version) >= 26 ? "" : `Go 1.26 is needed, there is 1.${version}`;
  } catch {
    return "Go is needed to build the API server";
  }
}

const problem = await missing();

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
