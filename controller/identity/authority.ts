import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { CONTROLLER_NAME } from "../../common/grpc.ts";
import { privateKeyPem } from "../../common/private_key_pem.ts";

/** A certificate with its key, PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** The authority that agents trust, as it is kept. */
export interface AuthorityState {
  /** Signs. */
  readonly active: KeyPair;
  /** Will sign when everybody trusts it; null for none. */
  readonly next: KeyPair | null;
  /** Signed before, and is trusted until it ends; "" for none. */
  readonly previous: string;
}

const DAY = 86_400_000;
/** How long an authority lasts, and from which age on there is a next one. */
const LIFE = 365 * DAY;
const RENEWAL = 240 * DAY;
/** How long a next one is trusted before it signs: bundles reach all agents meanwhile. */
const OVERLAP = DAY;
/** How long what it signs lasts. */
const SERVER_LIFE = 7 * DAY;
/** Clocks differ. */
const SKEW = 3_600_000;

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Makes an authority. @param now milliseconds since 1970 */
export async function createAuthority(now: number): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=NovaEdge ${new Date(now).toISOString().slice(0, 10)}`,
    notBefore: new Date(now - SKEW),
    notAfter: new Date(now + LIFE),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await privateKeyPem(keys.privateKey) };
}

/** Makes the certificate that a controller shows agents. @param now milliseconds since 1970 */
export async function issueServer({ certificate, key }: KeyPair, now: number): Promise<KeyPair> {
  const issuer = new x509.X509Certificate(certificate);
  const der = Uint8Array.from(atob(key.replace(/-----[^-]+-----|\s/g, "")), (c) => c.charCodeAt(0));
  const signingKey = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const issued = await x509.X509CertificateGenerator.create({
    subject: `CN=${CONTROLLER_NAME}`,
    issuer: issuer.subject,
    notBefore: new Date(now - SKEW),
    notAfter: new Date(now + SERVER_LIFE),
    signingAlgorithm: ALGORITHM,
    signingKey,
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: CONTROLLER_NAME }]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: issued.toString("pem"), key: await privateKeyPem(keys.privateKey) };
}

/** Whether a certificate that a controller shows should be replaced by now: half of its time is over. */
export function isStale({ certificate }: KeyPair, now: number): boolean {
  const { notBefore, notAfter } = new x509.X509Certificate(certificate);
  return now > (notBefore.getTime() + notAfter.getTime()) / 2;
}

/**
 * What an authority becomes with time: a next one is made and trusted, signs a day later, and what signed
 * before is trusted until it ends. The same state when nothing is due.
 */
export async function rotated(state: AuthorityState, now: number): Promise<AuthorityState> {
  const { active, next } = state;
  if (next === null) {
    if (ageOf(active.certificate, now) < RENEWAL) return withoutEnded(state, now);
    return { ...state, next: await createAuthority(now) };
  }
  if (ageOf(next.certificate, now) < OVERLAP) return state;
  return { active: next, next: null, previous: active.certificate };
}

function withoutEnded(state: AuthorityState, now: number): AuthorityState {
  if (state.previous === "") return state;
  const ended = new x509.X509Certificate(state.previous).notAfter.getTime() < now;
  return ended ? { ...state, previous: "" } : state;
}

function ageOf(certificate: string, now: number): number {
  return now - new x509.X509Certificate(certificate).notBefore.getTime() - SKEW;
}

/** Everything that agents should trust. */
export function bundleOf({ active, next, previous }: AuthorityState): string {
  return [active.certificate, next?.certificate ?? "", previous].filter((pem) => pem !== "")
    .map((pem) => pem.trimEnd() + "\n").join("");
}
