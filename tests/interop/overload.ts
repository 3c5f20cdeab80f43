import { HttpConnection } from "../support/http_client.ts";

/** What came of a flood of requests. */
export interface Flood {
  readonly admitted: number;
  readonly refused: number;
  /** Answers of any other kind, and connections that broke. */
  readonly others: readonly string[];
  /** Seconds between the first answer and the last. */
  readonly seconds: number;
}

/**
 * Sends requests to some ports in turn, each connection one after the other, at a pace together.
 * @param rate requests a second
 */
export async function flood(
  ports: readonly number[],
  rate: number,
  seconds: number,
  connections = 8,
): Promise<Flood> {
  let admitted = 0;
  let refused = 0;
  let sent = 0;
  const others = new Set<string>();
  const begin = performance.now();
  const end = begin + seconds * 1000;
  await Promise.all(Array.from({ length: connections }, async (_, i) => {
    const connection = await HttpConnection.open(ports[i % ports.length]);
    for (;;) {
      const now = performance.now();
      if (now >= end) break;
      // Behind the pace nobody waits, so that pauses of the machine are made up for.
      const due = begin + sent++ / rate * 1000;
      if (due > now) await new Promise((resolve) => setTimeout(resolve, due - now));
      const { status, complete } = await connection.request("GET", "/");
      if (complete && status === 200) admitted++;
      else if (complete && status === 429) refused++;
      else others.add(complete ? String(status) : "cut");
    }
    connection.socket.destroy();
  }));
  return { admitted, refused, others: [...others], seconds: (performance.now() - begin) / 1000 };
}
