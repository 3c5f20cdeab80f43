import { Buffer } from "node:buffer";
import { messageOf } from "../../common/errors.ts";
import type { Logger } from "../../common/log.ts";
import { type ApiClient, ApiError, type ApiObject } from "../source/kubernetes/api_client.ts";
import {
  type AuthorityState,
  bundleOf,
  createAuthority,
  isStale,
  issueServer,
  type KeyPair,
  rotated,
} from "./authority.ts";

/** Secret with the authority, which controllers alone may read, and ConfigMap with what agents trust. */
const SECRET = "novaedge-authority";
const BUNDLE = "novaedge-authority";
const KEY = "ca.crt";
/** Milliseconds between two looks at what is due. */
const INTERVAL = 600_000;

export interface KeeperOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly namespace: string;
  readonly log: Logger;
  /** Whether this controller leads: it alone rotates. */
  readonly leads: () => boolean;
  /** This is what agents are shown from now on. */
  readonly onServer: (server: KeyPair) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Keeps the authority of the stream to agents in the cluster, and this controller's certificate fresh. */
export class AuthorityKeeper {
  readonly #options: KeeperOptions;
  #server: KeyPair | null = null;
  #signedBy = "";
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Makes the authority where there is none, and this controller's certificate. */
  async start(): Promise<void> {
    await this.check();
    this.#timer = setInterval(() => {
      this.check().catch((error) =>
        this.#options.log.error({ reason: messageOf(error) }, "cannot look after the authority")
      );
    }, INTERVAL);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Does what is due. */
  async check(): Promise<void> {
    const { log, leads, now, onServer } = this.#options;
    let found = await this.#read();
    if (found === null) found = await this.#create();
    let { state } = found;
    if (leads()) {
      const next = await rotated(state, now());
      if (next !== state) {
        // Trust comes before use.
        await this.#publish(bundleOf(next));
        await this.#write(next, found.version);
        log.info({ trusted: bundleOf(next).split("BEGIN").length - 1 }, "authority rotated");
        state = next;
      }
    }
    await this.#publish(bundleOf(state));
    const { active } = state;
    const fresh = this.#server !== null && this.#signedBy === active.certificate &&
      !isStale(this.#server, now());
    if (fresh) return;
    this.#server = await issueServer(active, now());
    this.#signedBy = active.certificate;
    onServer(this.#server);
  }

  async #read(): Promise<{ state: AuthorityState; version: string } | null> {
    try {
      const object = await this.#request("secrets", SECRET);
      const data = (object.data ?? {}) as Record<string, string>;
      const text = (name: string) => Buffer.from(data[name] ?? "", "base64").toString();
      const pair = (name: string) => ({
        certificate: text(`${name}.crt`),
        key: text(`${name}.key`),
      });
      const next = pair("next");
      return {
        state: {
          active: pair("ca"),
          next: next.certificate === "" ? null : next,
          previous: text("previous.crt"),
        },
        version: object.metadata.resourceVersion,
      };
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  async #create(): Promise<{ state: AuthorityState; version: string }> {
    const { now, log } = this.#options;
    const state = { active: await createAuthority(now()), next: null, previous: "" };
    try {
      await this.#write(state, "");
      log.info("authority made");
    } catch (error) {
      // Another controller was faster: its one counts.
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
    }
    return (await this.#read())!;
  }

  async #write({ active, next, previous }: AuthorityState, version: string): Promise<void> {
    const { client, namespace } = this.#options;
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const metadata = { name: SECRET, namespace };
    const body = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: version === "" ? metadata : { ...metadata, resourceVersion: version },
      type: "Opaque",
      data: {
        "ca.crt": base64(active.certificate),
        "ca.key": base64(active.key),
        ...(next === null ? {} : {
          "next.crt": base64(next.certificate),
          "next.key": base64(next.key),
        }),
        ...(previous === "" ? {} : { "previous.crt": base64(previous) }),
      },
    };
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    if (version === "") await client.request(path, { method: "POST", body });
    else await client.request(`${path}/${SECRET}`, { method: "PUT", body });
  }

  async #publish(bundle: string): Promise<void> {
    const { client, namespace } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const body = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: BUNDLE, namespace },
      data: { [KEY]: bundle },
    };
    try {
      const known = await this.#request("configmaps", BUNDLE);
      if ((known.data as Record<string, string> | undefined)?.[KEY] === bundle) return;
      await client.request(`${path}/${BUNDLE}`, { method: "PUT", body });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      await client.request(path, { method: "POST", body }).catch((error) => {
        if (!(error instanceof ApiError) || error.status !== 409) throw error;
      });
    }
  }

  #request(kind: string, name: string): Promise<ApiObject> {
    const { client, namespace } = this.#options;
    return client.request(`/api/v1/namespaces/${namespace}/${kind}/${name}`);
  }
}
