import "reflect-metadata";
import { Buffer } from "node:buffer";
import { createSign } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { constructed, leaf, readTree, writeTree } from "./der_tree.ts";
import { privateKeyPem } from "../../common/private_key_pem.ts";

/** A certificate with its key, PEM. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate is issued for. */
export interface Subject {
  readonly name: string;
  /** Group that the API server of a cluster sees. */
  readonly organization?: string;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  readonly uris?: readonly string[];
  /** Days from now at which it begins and ends to be valid. */
  readonly from?: number;
  readonly until?: number;
  readonly emails?: readonly string[];
  /** Attributes of the subject beside its name, as they are to be read. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Extended key usage: both by default. */
  readonly usages?: readonly ("server" | "client")[];
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;
const USAGES = {
  server: x509.ExtendedKeyUsage.serverAuth,
  client: x509.ExtendedKeyUsage.clientAuth,
};

/** A certificate authority of one test. */
export class Authority {
  readonly certificate: string;
  readonly #keys: CryptoKeyPair;
  readonly #issuer: x509.X509Certificate;

  private constructor(issuer: x509.X509Certificate, keys: CryptoKeyPair) {
    this.#issuer = issuer;
    this.#keys = keys;
    this.certificate = issuer.toString("pem");
  }

  static async create(name = "test authority"): Promise<Authority> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const issuer = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      ...await authorityParts(keys),
      keys,
    });
    return new Authority(issuer, keys);
  }

  /** An authority that this one vouches for. */
  async subordinate(
    name: string,
    options: { pathLength?: number; keys?: CryptoKeyPair } = {},
  ): Promise<Authority> {
    const keys = options.keys ??
      await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: this.#issuer.subject,
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      ...await authorityParts(keys, options.pathLength),
    });
    return new Authority(certificate, keys);
  }

  /** Issues a certificate that is not an authority's. */
  async issue(subject: Subject): Promise<Pair> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const { dns = [], ips = [], uris = [], emails = [], from = -1, until = 20 } = subject;
    const names = [
      ...dns.map((value) => ({ type: "dns" as const, value })),
      ...ips.map((value) => ({ type: "ip" as const, value })),
      ...uris.map((value) => ({ type: "url" as const, value })),
      ...emails.map((value) => ({ type: "email" as const, value })),
    ];
    const usages = (subject.usages ?? ["server", "client"]).map((usage) => USAGES[usage]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: subjectOf(subject),
      issuer: this.#issuer.subject,
      notBefore: new Date(Date.now() + from * DAY),
      notAfter: new Date(Date.now() + until * DAY),
      signingAlgorithm: ALGORITHM,
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false),
        new x509.ExtendedKeyUsageExtension(usages),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      ],
    });
    return { certificate: certificate.toString("pem"), key: await privateKeyPem(keys.privateKey) };
  }

  /** Issues a certificate of version 1, which has no extensions. */
  async issueFirstVersion(name: string): Promise<Pair> {
    const { certificate, key } = await this.issue({ name });
    const whole = readTree(new Uint8Array(new x509.X509Certificate(certificate).rawData));
    const [signed, algorithm] = whole.children!;
    const [version, extensions] = [0xa0, 0xa3];
    signed.children = signed.children!.filter(({ tag }) => tag !== version && tag !== extensions);
    const signer = createSign("sha256").update(writeTree(signed));
    const signature = signer.sign(await privateKeyPem(this.#keys.privateKey));
    const bits = leaf(0x03, Buffer.concat([Buffer.alloc(1), signature]));
    const body = writeTree(constructed(0x30, signed, algorithm, bits)).toString("base64");
    const lines = body.match(/.{1,64}/g)!.join("\n");
    return {
      certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
      key,
    };
  }

  /** A list of numbers of certificates that are taken back, PEM. */
  async revoke(serials: readonly string[], nextUpdate: Date): Promise<string> {
    const list = await x509.X509CrlGenerator.create({
      issuer: this.#issuer.subject,
      thisUpdate: new Date(nextUpdate.getTime() - 7 * DAY),
      nextUpdate,
      entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date() })),
      signingAlgorithm: ALGORITHM,
      signingKey: this.#keys.privateKey,
    });
    const body = Buffer.from(list.rawData).toString("base64");
    return `-----BEGIN X509 CRL-----\n${body}\n-----END X509 CRL-----\n`;
  }
}

/** What certificates of authorities have in common. */
async function authorityParts(keys: CryptoKeyPair, pathLength?: number) {
  return {
    notBefore: new Date(Date.now() - 30 * DAY),
    notAfter: new Date(Date.now() + 30 * DAY),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, pathLength, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  };
}

function subjectOf({ name, organization, attributes = {} }: Subject): x509.Name {
  const all = { CN: name, ...(organization === undefined ? {} : { O: organization }) };
  // Values are encoded as they are: the text form of a name would have its own escapes.
  const names = Object.entries({ ...all, ...attributes });
  return new x509.Name(names.map(([type, value]) => ({ [type]: [{ utf8String: value }] })));
}

/** A certificate whose key is too short for TLS, signed by itself. */
export async function weakPair(): Promise<Pair> {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 1024,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=weak",
    signingAlgorithm: algorithm,
    keys,
  });
  return { certificate: certificate.toString("pem"), key: await privateKeyPem(keys.privateKey) };
}

/** A Secret with a certificate, a bundle of authorities, or both. */
export function secret(name: string, pair: Pair | null, authority?: string): string {
  const data = {
    ...(pair === null ? {} : { "tls.crt": btoa(pair.certificate), "tls.key": btoa(pair.key) }),
    ...(authority === undefined ? {} : { "ca.crt": btoa(authority) }),
  };
  return `apiVersion: v1
kind: Secret
metadata: { name: ${name} }
type: ${pair === null ? "Opaque" : "kubernetes.io/tls"}
data: ${JSON.stringify(data)}
`;
}
