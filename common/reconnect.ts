import { Backoff, delay } from "./backoff.ts";
import { OutageLog } from "./outage_log.ts";

/** How to keep a connection. */
export interface ReconnectOptions {
  /** First and longest wait before the next try, in milliseconds. */
  readonly initial: number;
  readonly maximum: number;
  /** Says why the peer cannot be reached, once per outage. */
  readonly warn: (reason: string) => void;
}

/** One connection from its start to its end; calls `established` when it works, resolves to why it ended. */
export type Attempt = (established: () => void) => Promise<string>;

/** Connects again and again until the signal is aborted. */
export async function keepConnected(
  attempt: Attempt,
  { initial, maximum, warn }: ReconnectOptions,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ initial, maximum, random: Math.random });
  const outage = new OutageLog(warn, () => performance.now());
  while (!signal.aborted) {
    const reason = await attempt(() => {
      backoff.reset();
      outage.ended();
    });
    if (signal.aborted) return;
    outage.failed(reason);
    await delay(backoff.next(), signal);
  }
}
