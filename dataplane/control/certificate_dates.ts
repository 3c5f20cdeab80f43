import { X509Certificate } from "node:crypto";
import { Kind, type Resource } from "../../common/delta/resources.ts";
import { Certificate } from "../../proto/gen/novaedge/v1/config.ts";

/** When the certificates that we present expire. An expired one keeps serving; people must be told. */
export class CertificateDates {
  /** End of validity by certificate, in milliseconds since 1970. */
  readonly #ends = new Map<string, number>();

  /** Takes in what was accepted and what was removed. */
  apply(upserts: readonly Resource[], removals: readonly { kind: Kind; name: string }[]): void {
    for (const { kind, name, body } of upserts) {
      if (kind !== Kind.KIND_CERTIFICATE) continue;
      const { certPem } = Certificate.decode(body);
      if (certPem.length === 0) this.#ends.delete(name);
      else this.#ends.set(name, Date.parse(new X509Certificate(certPem).validTo));
    }
    for (const { kind, name } of removals) {
      if (kind === Kind.KIND_CERTIFICATE) this.#ends.delete(name);
    }
  }

  /** All of them. */
  entries(): Iterable<[string, number]> {
    return this.#ends;
  }

  /** Names of those that are expired at `now`, in milliseconds since 1970. */
  expired(now: number): string[] {
    return [...this.#ends].filter(([, end]) => end < now).map(([name]) => name);
  }
}
