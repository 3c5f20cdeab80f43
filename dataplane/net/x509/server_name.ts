import { hasRequiredName, namesServer } from "./alternative_names.ts";
import { readCertificate } from "./certificate.ts";

/**
 * Returns what is wrong with the names of a backend's certificate, "" for nothing. Never throws.
 * @param der the certificate
 * @param name DNS name or address of the backend
 * @param sans names of which it must have one; `name` counts only where there are none
 */
export function serverNameProblem(der: Uint8Array, name: string, sans: readonly string[]): string {
  let names;
  try {
    names = readCertificate(der).extensions.alternativeNames;
  } catch {
    return "the certificate cannot be read";
  }
  if (sans.length > 0) {
    return hasRequiredName(sans, names) ? "" : "the certificate has none of the names asked for";
  }
  return namesServer(name, names) ? "" : `the certificate is not for ${name}`;
}
