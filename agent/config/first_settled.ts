import { type Client, connectivityState } from "@grpc/grpc-js";
import { delay } from "../../common/backoff.ts";

/** How long channels are given, in milliseconds. */
export interface Patience {
  /** Until one of them must have come about. */
  readonly total: number;
  /** Until a further one is opened beside those that are silent. */
  readonly next: number;
}

/**
 * Opens channels to targets in turn until one of them works, or each target has refused one: whoever calls on that
 * one learns why. Behind a Service are several pods, and one that is lost does not refuse: it is silent, while the
 * next connection may find another. Null when all are silent, or the signal was aborted.
 */
export async function firstSettled<T extends Client>(
  targets: readonly string[],
  open: (target: string) => T,
  { total, next }: Patience,
  signal: AbortSignal,
): Promise<T | null> {
  const opened: T[] = [];
  const refused = new Set<string>();
  const ended = new AbortController();
  const over = AbortSignal.any([signal, ended.signal]);
  let onward = () => {};
  const found = new Promise<T | null>((resolve) => {
    const openNext = () => {
      const target = targets[opened.length % targets.length];
      const client = open(target);
      opened.push(client);
      void settled(client, over).then((works) => {
        const first = !works && !refused.has(target);
        if (first) refused.add(target);
        if (works || refused.size === targets.length) resolve(client);
        else if (first) onward();
      });
    };
    void (async () => {
      for (let waited = 0; waited < total && !over.aborted; waited += next) {
        openNext();
        const pause = new AbortController();
        onward = () => pause.abort();
        await delay(next, AbortSignal.any([over, pause.signal]));
      }
      resolve(null);
    })();
  });
  const first = await found;
  ended.abort();
  for (const client of opened) if (client !== first || signal.aborted) client.close();
  return signal.aborted ? null : first;
}

/** Resolves to whether a channel works or is refused; never after the signal was aborted. */
function settled(client: Client, signal: AbortSignal): Promise<boolean> {
  const channel = client.getChannel();
  return new Promise((resolve) => {
    const look = () => {
      if (signal.aborted) return;
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) resolve(true);
      else if (state === connectivityState.TRANSIENT_FAILURE) resolve(false);
      else channel.watchConnectivityState(state, Infinity, look);
    };
    look();
  });
}
