import { join } from "node:path";
import { selfSigned } from "../../standalone/demo/demo_folder.ts";
import type { Scene } from "./scene.ts";

/** A certificate and its key, as text and as files of a scene. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Both in one file, as HAProxy wants them. */
  readonly bothFile: string;
}

/** What clients name in a handshake: their URLs have an address, and hosts come in the requests. */
const NAMES = ["127.0.0.1", "localhost", "*.example.com"];

let pair: ReturnType<typeof selfSigned> | undefined;

/** The certificate of every proxy, ECDSA P-256, made once per run. */
export async function writeCertificate(scene: Scene): Promise<Certificate> {
  const { certificate, key } = await (pair ??= selfSigned(NAMES));
  const folder = scene.subfolder("tls");
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    Deno.writeTextFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    certificate,
    key,
    certificateFile: write("certificate.pem", certificate),
    keyFile: write("key.pem", key),
    bothFile: write("both.pem", `${certificate}\n${key}`),
  };
}
