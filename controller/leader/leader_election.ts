import { messageOf } from "../../common/errors.ts";
import type { Logger } from "../../common/log.ts";
import { delay } from "../../common/backoff.ts";
import { type ApiClient, ApiError } from "../source/kubernetes/api_client.ts";
import { ADDRESS, type Holder, holderIn, type Lease, PUBLISHED } from "./lease_record.ts";

/** Milliseconds: a lease that nobody renewed for so long is free. */
const LEASE = 9_000;
/** A leader that could not renew for so long no longer is one: well before others may think so. */
const RENEW_DEADLINE = 6_000;
/** Between two renewals, and two tries. */
const RETRY = 1_500;

/** How an election is taken part in. */
export interface ElectionOptions {
  readonly client: Pick<ApiClient, "request" | "watch">;
  readonly namespace: string;
  readonly name: string;
  /** Of this controller, unique among all that ever ran. */
  readonly identity: string;
  /** Where agents reach it. */
  readonly address: string;
  readonly log: Logger;
  /** The highest resourceVersion of each kind that was published. */
  readonly published: () => Readonly<Record<string, string>>;
  /** This controller leads from now on. @param before who led last, null for nobody */
  readonly onLead: (term: number, before: Holder | null) => void;
  /** This controller no longer leads. */
  readonly onLost: () => void;
  /** Another controller leads from now on. */
  readonly onOther: () => void;
  /** Milliseconds of a clock that never goes back, and goes on while this process is stopped. */
  readonly now: () => number;
}

/**
 * Elects one of several controllers by a Lease. Expiry is measured from when a renewal was seen here, so that
 * clocks need not agree; who leads stops at its own deadline, whether it reaches the API server or not.
 */
export class LeaderElection {
  readonly #options: ElectionOptions;
  #lease: Lease | null = null;
  /** When the lease last changed, as seen here. */
  #seen = 0;
  #leading = false;
  #renewed = 0;
  #wake: () => void = () => {};

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /** Whether this controller leads now; asked before everything that only a leader may do. */
  leads(): boolean {
    return this.#leading && this.#options.now() - this.#renewed < RENEW_DEADLINE;
  }

  /** Whether the lease was this controller's when it was last seen. */
  get holds(): boolean {
    return this.#lease !== null && holderIn(this.#lease).identity === this.#options.identity;
  }

  /** Where the leader serves agents, "" when nobody knows. */
  get leaderAddress(): string {
    return this.#lease === null ? "" : holderIn(this.#lease).address;
  }

  /** Takes part until the signal is aborted, then gives the lease back. */
  async run(signal: AbortSignal): Promise<void> {
    const watching = this.#follow(signal);
    while (!signal.aborted) {
      await this.#step();
      await this.#pause(signal);
    }
    await this.#release();
    await watching;
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    this.#wake = () => ended.abort();
    // A lease that ends is taken then, not at the next try after it.
    const left = this.#leading ? RETRY : this.#seen + LEASE - this.#options.now();
    const pause = left > 0 ? Math.min(left, RETRY) : RETRY;
    await delay(pause, AbortSignal.any([signal, ended.signal]));
  }

  async #step(): Promise<void> {
    const { log, now } = this.#options;
    if (this.#leading && !this.leads()) this.#lost("not renewed in time");
    try {
      if (this.#leading) await this.#renew();
      else await this.#tryToLead();
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) {
        // Somebody was faster; what they wrote comes by the watch.
        await this.#read().catch(() => {});
        const other = this.#lease !== null && holderIn(this.#lease).identity;
        if (this.#leading && other !== this.#options.identity) this.#lost("taken over");
        return;
      }
      log.warn({ reason: messageOf(error) }, "cannot reach the lease of the leader");
      if (this.#leading && now() - this.#renewed >= RENEW_DEADLINE) {
        this.#lost("not renewed in time");
      }
    }
  }

  async #tryToLead(): Promise<void> {
    const { identity, now, log, onLead } = this.#options;
    if (this.#lease === null) await this.#read();
    const lease = this.#lease as Lease | null;
    const before = lease === null ? null : holderIn(lease);
    const free = before === null || before.identity === "" || before.identity === identity ||
      now() - this.#seen >= LEASE;
    if (!free) return;
    const began = now();
    const term = (before?.term ?? 0) + 1;
    const time = new Date().toISOString().replace("Z", "000Z");
    const spec = { acquireTime: time, renewTime: time, leaseTransitions: term };
    await this.#write(lease, { ...spec, holderIdentity: identity }, before?.published ?? {});
    this.#renewed = began;
    this.#leading = true;
    log.info({ term, identity }, "this controller leads");
    onLead(term, before);
  }

  async #renew(): Promise<void> {
    const { identity, now, published } = this.#options;
    const began = now();
    const lease = this.#lease!;
    const spec = { ...lease.spec, holderIdentity: identity };
    const renewTime = new Date().toISOString().replace("Z", "000Z");
    await this.#write(lease, { ...spec, renewTime }, published());
    this.#renewed = began;
  }

  async #release(): Promise<void> {
    if (!this.#leading) return;
    const { published, log, onLost } = this.#options;
    const still = this.leads();
    this.#leading = false;
    onLost();
    if (!still) return;
    try {
      await this.#write(
        this.#lease!,
        { ...this.#lease!.spec, holderIdentity: "", leaseDurationSeconds: 1 },
        published(),
      );
      log.info("gave the lease back");
    } catch (error) {
      log.warn({ reason: messageOf(error) }, "cannot give the lease back");
    }
  }

  #lost(reason: string): void {
    this.#leading = false;
    this.#options.log.warn({ reason }, "this controller no longer leads");
    this.#options.onLost();
  }

  async #write(
    lease: Lease | null,
    spec: NonNullable<Lease["spec"]>,
    published: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { client, namespace, name, address } = this.#options;
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        ...(lease?.metadata ?? { namespace, name }),
        annotations: {
          ...lease?.metadata.annotations,
          [ADDRESS]: address,
          [PUBLISHED]: JSON.stringify(published),
        },
      },
      spec: { leaseDurationSeconds: LEASE / 1_000, ...spec },
    };
    const all = leasesPath(namespace);
    const signal = AbortSignal.timeout(RENEW_DEADLINE / 2);
    const written = lease === null
      ? await client.request(all, { method: "POST", body, signal })
      : await client.request(`${all}/${name}`, { method: "PUT", body, signal });
    this.#take(written as unknown as Lease);
  }

  async #read(): Promise<void> {
    const { client, namespace, name } = this.#options;
    try {
      const lease = await client.request(`${leasesPath(namespace)}/${name}`);
      this.#take(lease as unknown as Lease);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      this.#lease = null;
    }
  }

  #take(lease: Lease): void {
    const known = this.#lease?.metadata.resourceVersion;
    if (known === lease.metadata.resourceVersion) return;
    const before = this.leaderAddress;
    this.#lease = lease;
    this.#seen = this.#options.now();
    if (!this.holds && this.leaderAddress !== before) this.#options.onOther();
  }

  /** Sees at once what others write: a lease that was given back is taken within moments. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { client, namespace, name } = this.#options;
    const query = { fieldSelector: `metadata.name=${name}`, timeoutSeconds: "300" };
    while (!signal.aborted) {
      try {
        for await (const event of client.watch(leasesPath(namespace), { query, signal })) {
          if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
          const lease = event.object as unknown as Lease;
          if (!this.#leading) this.#take(lease);
          if (!this.#leading && holderIn(lease).identity === "") this.#wake();
        }
      } catch {
        // Steps say what is wrong.
      }
      await delay(RETRY, signal);
    }
  }
}

function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}
