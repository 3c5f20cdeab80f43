import type { Logger } from "../../common/log.ts";
import { LeaderElection } from "../leader/leader_election.ts";
import type { Holder } from "../leader/lease_record.ts";
import type { ApiClient } from "../source/kubernetes/api_client.ts";
import type { KubernetesSource } from "../source/kubernetes/kubernetes_source.ts";

/** Name of the Lease. */
const LEASE = "novaedge-controller";

export interface LeadershipOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  readonly namespace: string;
  readonly identity: string;
  /** Where agents reach this controller. */
  readonly address: string;
  readonly source: () => KubernetesSource;
  /** This controller serves from now on; everything that was published before is known here. */
  readonly onServe: (term: number) => void;
  /** It no longer does. */
  readonly onStop: () => void;
  /** Another one leads from now on. */
  readonly onOther: () => void;
}

/**
 * Leads after an election, and not before what the leader before published is known: an answer of a
 * controller whose watch was behind would take clients back in time.
 */
export class Leadership {
  readonly #election: LeaderElection;
  readonly #options: LeadershipOptions;
  readonly #ended = new AbortController();
  #run: Promise<void> = Promise.resolve();
  #serving = false;
  #term = 0;

  constructor(options: LeadershipOptions) {
    const { client, log, namespace, identity, address, source, onStop, onOther } = options;
    this.#options = options;
    this.#election = new LeaderElection({
      client,
      log,
      namespace,
      identity,
      address,
      name: LEASE,
      published: () => source().newest(),
      onLead: (term, before) => void this.#takeOver(term, before),
      onLost: () => {
        this.#serving = false;
        onStop();
      },
      onOther,
      now: () => performance.now(),
    });
  }

  /** Whether this controller may serve agents and write now. */
  get leads(): boolean {
    return this.#serving && this.#election.leads();
  }

  /** Whether this controller holds the lease, be it that it does not serve yet. */
  get holds(): boolean {
    return this.#election.holds;
  }

  get leaderAddress(): string {
    return this.#election.leaderAddress;
  }

  start(): void {
    this.#run = this.#election.run(this.#ended.signal);
  }

  /** Gives the lease back. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#run;
  }

  async #takeOver(term: number, before: Holder | null): Promise<void> {
    const { source, log, onServe } = this.#options;
    this.#term = term;
    const released = before === null || before.identity === "";
    // Who gave the lease back said what it had published; who was lost may have published more.
    if (released) await source().catchUp(before?.published ?? {});
    else await source().refresh();
    if (this.#term !== term || !this.#election.leads()) return;
    this.#serving = true;
    log.info({ term }, "this controller serves agents");
    onServe(term);
  }
}
