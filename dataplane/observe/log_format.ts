import { humanAccessLog } from "./human_access_log.ts";

/** Turns a batch of JSON lines into the form that is written. */
export type LogFormat = (batch: Uint8Array) => Uint8Array;

/** Fields of a line; those that a request does not have are written as "-". */
export const LOG_FIELDS: readonly string[] = [
  ...["time", "listener", "method", "host", "path", "status", "reason", "bytes_in", "bytes_out"],
  ...["duration_ms", "route", "upstream", "client", "request_id", "upstream_ms", "protocol", "tls"],
  ...["user_agent", "referer", "attempts", "detail", "trace_id"],
];

type Line = Readonly<Record<string, string | number>>;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const PLACE = /\{([^{}]*)\}/g;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

const same: LogFormat = (batch) => batch;

/** Control characters and quotes of what a client sent, as nginx writes them. */
function escaped(value: string | number | undefined): string {
  if (value === undefined || value === "") return "-";
  return String(value).replace(
    /[\p{Cc}"\\]/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** "02/Jan/2030:03:04:05 +0000" */
function commonTime(time: string): string {
  const [date, clock] = time.split("T");
  const [year, month, day] = date.split("-");
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${clock.slice(0, 8)} +0000`;
}

/** The address without the port. */
function addressOf(client: string): string {
  return client.replace(/^\[(.*)\](?::\d+)?$/, "$1").replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
}

/** The combined format of nginx and Apache. */
function combined(line: Line): string {
  const request = `${escaped(line.method)} ${escaped(line.path)} ${escaped(line.protocol)}`;
  return `${addressOf(escaped(line.client))} - - [${commonTime(String(line.time))}] "${request}" ` +
    `${line.status} ${line.bytes_out} "${escaped(line.referer)}" "${escaped(line.user_agent)}"`;
}

function byLine(write: (line: Line) => string): LogFormat {
  return (batch) => {
    const lines = decoder.decode(batch).trimEnd().split("\n");
    return encoder.encode(lines.map((line) => `${write(JSON.parse(line) as Line)}\n`).join(""));
  };
}

/**
 * The form of the access log that is asked for: "json", "combined", or a template of fields in braces.
 * @param terminal whether people read along
 * @throws {RangeError} for anything else
 */
export function logFormat(format: string, terminal: boolean): LogFormat {
  if (format === "json") return terminal ? humanAccessLog : same;
  if (format === "combined") return byLine(combined);
  const names = [...format.matchAll(PLACE)].map(([, name]) => name);
  if (names.length === 0) {
    throw new RangeError(`"${format}" is neither json nor combined, and has no {field}`);
  }
  const unknown = names.find((name) => !LOG_FIELDS.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`{${unknown}} is no field; fields are ${LOG_FIELDS.join(", ")}`);
  }
  return byLine((line) => format.replace(PLACE, (_place, name) => escaped(line[name])));
}
