const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Turns a batch of JSON access log lines into lines for a terminal. */
export function humanAccessLog(batch: Uint8Array): Uint8Array {
  const lines = decoder.decode(batch).trimEnd().split("\n").map((line) => {
    const record = JSON.parse(line) as Record<string, string | number>;
    const detail = record.detail === undefined ? "" : `: ${record.detail}`;
    const reason = record.reason === "ok" ? "" : ` (${record.reason}${detail})`;
    return `${
      String(record.time).slice(11, 23)
    } ${record.status}${reason} ${record.method} ${record.host}${record.path}` +
      ` ${record.duration_ms} ms -> ${record.upstream || "-"}\n`;
  });
  return encoder.encode(lines.join(""));
}
