import { Buffer } from "node:buffer";
import { experimental, type ServerCredentials } from "@grpc/grpc-js";
import { messageOf } from "../../common/errors.ts";
import type { Logger } from "../../common/log.ts";
import type { ApiClient } from "../source/kubernetes/api_client.ts";
import type { KeyPair } from "./authority.ts";
import { AuthorityKeeper } from "./authority_keeper.ts";
import { type AgentIdentity, TokenReviewer } from "./token_reviewer.ts";

interface Settings {
  readonly "namespace": string;
  readonly "agent-account": string;
  readonly "tls-cert-file": string;
  readonly "tls-key-file": string;
}

type Listener = Parameters<experimental.CertificateProvider["addIdentityCertificateListener"]>[0];

/** Milliseconds between two looks at given certificates. */
const REREAD = 60_000;

/** Both ends of a stream show who they are: agents by a token, the controller by a certificate. */
export class AgentIdentities {
  readonly #settings: Settings;
  readonly #reviewer: TokenReviewer;
  readonly #keeper: AuthorityKeeper;
  readonly #listeners = new Set<Listener>();
  readonly #log: Logger;
  #shown: KeyPair | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(settings: Settings, client: ApiClient, log: Logger, leads: () => boolean) {
    const { namespace, "agent-account": account } = settings;
    this.#settings = settings;
    this.#log = log;
    const now = () => Date.now();
    this.#reviewer = new TokenReviewer({ client, namespace, account, now });
    this.#keeper = new AuthorityKeeper({
      client,
      namespace,
      log,
      leads,
      now,
      onServer: (server) => {
        this.#shown = server;
        this.announce();
      },
    });
  }

  /** This controller leads from now on: what is due is done. */
  led(): void {
    if (this.#settings["tls-cert-file"] !== "") return;
    this.#keeper.check().catch((error) =>
      this.#log.error({ reason: messageOf(error) }, "cannot look after the authority")
    );
  }

  /** @throws {IdentityError} with why a token is not good */
  review(token: string): Promise<AgentIdentity> {
    return this.#reviewer.review(token);
  }

  /** What agents are shown: given certificates, or those of an authority that is kept in the cluster. */
  async credentials(): Promise<ServerCredentials> {
    const { "tls-cert-file": certificate, "tls-key-file": key } = this.#settings;
    if (certificate === "") await this.#keeper.start();
    else {
      await this.#readFiles(certificate, key);
      this.#timer = setInterval(() => {
        this.#readFiles(certificate, key).catch((error) =>
          this.#log.error({ reason: messageOf(error) }, "cannot read the certificate for agents")
        );
      }, REREAD);
    }
    const provider: experimental.CertificateProvider = {
      addIdentityCertificateListener: (listener) => void this.#listeners.add(listener),
      removeIdentityCertificateListener: (listener) => void this.#listeners.delete(listener),
      addCaCertificateListener() {},
      removeCaCertificateListener() {},
    };
    // The library names its parameters the other way round than it uses them: the first is ours to show.
    return experimental.createCertificateProviderServerCredentials(provider, null, false);
  }

  async #readFiles(certificate: string, key: string): Promise<void> {
    const [cert, privateKey] = await Promise.all(
      [certificate, key].map((path) => Deno.readTextFile(path)),
    );
    if (this.#shown?.certificate === cert) return;
    this.#shown = { certificate: cert, key: privateKey };
    this.announce();
  }

  /** Shows what there is to show, from now on: the server takes it in only once it listens. */
  announce(): void {
    if (this.#shown === null) return;
    const { certificate, key } = this.#shown;
    const update = { certificate: Buffer.from(certificate), privateKey: Buffer.from(key) };
    for (const listener of this.#listeners) listener(update);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#keeper.stop();
  }
}
