import "reflect-metadata";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** Days a demo certificate is valid. */
const VALID_DAYS = 30;
const DAY = 24 * 60 * 60 * 1000;

function pem(label: string, bytes: ArrayBuffer): string {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return `-----BEGIN ${label}-----\n${
    base64.replace(/(.{64})/g, "$1\n")
  }\n-----END ${label}-----\n`;
}

/** A self-signed certificate for names and addresses, with its key, both PEM. */
export async function selfSigned(
  names: readonly string[],
): Promise<{ certificate: string; key: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const now = Date.now();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=NovaEdge demo",
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + VALID_DAYS * DAY),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(false),
      new SubjectAlternativeNameExtension(
        names.map((name) => ({
          type: /^[\d.]+$|:/.test(name) ? "ip" as const : "dns" as const,
          value: name,
        })),
      ),
    ],
  });
  return {
    certificate: certificate.toString("pem"),
    key: pem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", keys.privateKey)),
  };
}

/** Makes the folder that the demo serves; a demo.yaml that is already there, perhaps edited, is kept. */
export async function prepareDemo(folder: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const file = join(folder, "demo.yaml");
  const exists = await Deno.stat(file).then(() => true, () => false);
  if (!exists) await Deno.copyFile(join(import.meta.dirname!, "resources", "demo.yaml"), file);
  const { certificate, key } = await selfSigned(["localhost", "127.0.0.1"]);
  const indent = (text: string) =>
    text.trimEnd().split("\n").map((line) => `    ${line}`).join("\n");
  const secret = `# Made at each start of the demo.
apiVersion: v1
kind: Secret
metadata:
  name: demo-certificate
type: kubernetes.io/tls
stringData:
  tls.crt: |
${indent(certificate)}
  tls.key: |
${indent(key)}
`;
  const path = join(folder, "certificate.yaml");
  await Deno.writeTextFile(`${path}.new`, secret, { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
  return file;
}
