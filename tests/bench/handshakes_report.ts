import type { LoadReport } from "./loads/load.ts";

/**
 * Reads what `openssl s_time -new` printed in processes that ran side by side.
 * @throws when one of the texts is not a report
 */
export function parseHandshakes(texts: readonly string[], seconds: number): LoadReport {
  let done = 0;
  let resumed = 0;
  for (const text of texts) {
    const count = /^(\d+) connections in \d+ real seconds/m.exec(text)?.[1];
    if (count === undefined) throw new Error(`not a report of openssl s_time: ${text}`);
    done += Number(count);
    // A sign per handshake: r for one that resumed a session.
    resumed += /^[*r]+$/m.exec(text)?.[0].replaceAll("*", "").length ?? 0;
  }
  return {
    done,
    bytes: 0,
    seconds,
    p50: NaN,
    p99: NaN,
    errors: resumed > 0 ? `resumed sessions: ${resumed}` : "",
  };
}
