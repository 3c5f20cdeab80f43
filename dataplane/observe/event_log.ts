/** Something that happened in a traffic worker, for the program's log. */
export interface WorkerEvent {
  readonly level: "info" | "warn" | "error";
  /** Subject and past participle. */
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

/** Lines of one kind in one second; peers decide how often most of them happen. */
const EVENTS_PER_SECOND = 5;
const SECOND = 1_000;
/** Longest text of a field. */
const LONGEST = 2_000;

interface Kind {
  /** Start of the second that is counted, in milliseconds. */
  since: number;
  sent: number;
  suppressed: number;
}

/**
 * The log of one worker. Events that peers can cause are limited by kind: what is suppressed is counted
 * in the next line of that kind.
 */
export class EventLog {
  readonly #send: (event: WorkerEvent) => void;
  readonly #now: () => number;
  readonly #kinds = new Map<string, Kind>();

  /** @param now milliseconds, monotonic */
  constructor(send: (event: WorkerEvent) => void, now: () => number) {
    this.#send = send;
    this.#now = now;
  }

  /** @param event one of a fixed set of texts; what varies goes into `fields` */
  add(level: WorkerEvent["level"], event: string, fields: WorkerEvent["fields"]): void {
    const now = this.#now();
    let kind = this.#kinds.get(event);
    if (kind === undefined) {
      this.#kinds.set(event, kind = { since: now, sent: 0, suppressed: 0 });
    }
    if (now - kind.since >= SECOND) {
      kind.since = now;
      kind.sent = 0;
    }
    if (kind.sent >= EVENTS_PER_SECOND) {
      kind.suppressed++;
      return;
    }
    kind.sent++;
    const { suppressed } = kind;
    kind.suppressed = 0;
    const cut = Object.entries(fields).map(([name, value]) =>
      [name, typeof value === "string" ? value.slice(0, LONGEST) : value] as const
    );
    const all = Object.fromEntries(cut);
    this.#send({ level, event, fields: suppressed === 0 ? all : { ...all, suppressed } });
  }
}
