import { findProgram, versionOf } from "../programs.ts";
import { ask } from "../raw_client.ts";
import { parseHandshakes } from "../handshakes_report.ts";
import type { Scene } from "../scene.ts";
import type { LoadGenerator } from "./load.ts";

/** Connections that end after their handshake, by openssl: one after the other in each process. */
export async function handshakes(scene: Scene): Promise<LoadGenerator> {
  const version = await versionOf("openssl", ["version"]);
  return {
    description: `openssl s_time ${version}`,
    async check({ port, hosts, path }) {
      return (await ask(port, hosts[0], path, { tls: true }))?.status === 200;
    },
    async run({ port, seconds, connections, core }) {
      const command = [findProgram("openssl")!, "s_time", "-connect", `127.0.0.1:${port}`, "-new"];
      command.push("-time", `${seconds}`);
      const start = performance.now();
      const texts = await Promise.all(
        Array.from(
          { length: connections },
          (_, index) => scene.run(`load${index}`, command, { core }),
        ),
      );
      // It counts in whole seconds itself.
      return parseHandshakes(texts, (performance.now() - start) / 1000);
    },
  };
}
