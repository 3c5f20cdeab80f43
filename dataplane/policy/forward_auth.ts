import { Buffer } from "node:buffer";
import type { ForwardAuth as ForwardAuthMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { dashed, type FieldEdit, makeEdit } from "../message/field_edit.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";
import type { PolicyContext } from "./policy_context.ts";
import { type Answer, ask, questionHead } from "../upstream/question.ts";
import { Recent } from "./recent.ts";

const UNAVAILABLE = refusal(503, "auth_unavailable");
/** Remembered answers, and the characters of what was asked. */
const REMEMBERED = 10_000;
const REMEMBERED_CHARACTERS = 8_388_608;
/** Fields of a request that say nothing to a server that only decides. */
const NEVER_ASKED = new Set([
  "content-length",
  "content-type",
  "host",
  "expect",
  "transfer-encoding",
]);
/** Fields of a refusal that the gateway writes itself. */
const NEVER_ANSWERED = new Set(["content-length", "date", "connection", "transfer-encoding"]);

interface Remembered {
  readonly edit: FieldEdit;
  readonly until: number;
}

/** A server decides about each request: 2xx lets it pass, any other answer but 5xx goes to the client. */
export class ForwardAuth implements RequestCheck {
  readonly #message: ForwardAuthMessage;
  readonly #context: PolicyContext;
  readonly #asked: ReadonlySet<string> | null;
  /** Fields that its answer gives to the request. */
  readonly #taken: ReadonlySet<string>;
  readonly #removed: ReadonlySet<string>;
  readonly #remembered = new Recent<Remembered>(REMEMBERED, REMEMBERED_CHARACTERS);

  constructor(message: ForwardAuthMessage, context: PolicyContext) {
    this.#message = message;
    this.#context = context;
    this.#asked = message.requestFields.length === 0 ? null : new Set(message.requestFields);
    this.#taken = new Set(message.answerFields);
    this.#removed = new Set(message.answerFields.map(dashed));
  }

  check(request: PolicyRequest): Verdict {
    const { cacheMs, requestFields, backend, timeoutMs } = this.#message;
    const key = cacheMs === 0 ? "" : [
      request.method,
      request.host,
      request.requestTarget,
      ...requestFields.map((name) => request.header(name) ?? ""),
    ].join("\n");
    const { ticker, backends } = this.#context;
    const known = cacheMs === 0 ? undefined : this.#remembered.get(key);
    if (known !== undefined && ticker.now < known.until) {
      request.changeRequest(known.edit);
      return null;
    }
    const endpoint = backends.get(backend)?.pick(null, 0) ?? null;
    if (endpoint === null) return UNAVAILABLE;
    endpoint.load.begin();
    const asked = {
      method: "GET",
      head: this.#head(request),
      body: null,
      timeout: timeoutMs,
      fresh: false,
    };
    return ask(endpoint.pool, asked, ticker).then((answer) => {
      endpoint.load.leave();
      if (typeof answer === "string" || answer.status >= 500) return UNAVAILABLE;
      if (answer.status >= 300) return refused(answer);
      const edit = this.#editOf(answer);
      request.changeRequest(edit);
      if (cacheMs > 0) this.#remembered.set(key, { edit, until: ticker.now + cacheMs });
      return null;
    });
  }

  #head(request: PolicyRequest): Buffer {
    const { host, path } = this.#message;
    const fields: (readonly [string, string])[] = [["host", host]];
    for (const field of request.fields()) {
      const [name] = field;
      const wanted = this.#asked === null ? !NEVER_ASKED.has(name) : this.#asked.has(name);
      if (wanted) fields.push(field);
    }
    fields.push(
      ["x-forwarded-method", request.method],
      ["x-forwarded-proto", request.scheme],
      ["x-forwarded-host", request.host],
      ["x-forwarded-uri", request.requestTarget],
      ["x-forwarded-for", request.clientAddress()],
    );
    return questionHead("GET", path, fields);
  }

  #editOf({ fields }: Answer): FieldEdit {
    let lines = "";
    for (const [name, value] of fields) {
      if (this.#taken.has(name)) lines += `${name}: ${value}\r\n`;
    }
    return makeEdit(this.#removed, Buffer.from(lines, "latin1"), true);
  }
}

function refused({ status, fields, body }: Answer): Refusal {
  const kept = fields.filter(([name]) => !NEVER_ANSWERED.has(name));
  return { status, reason: "forward_auth", answer: { status, reason: "", body, fields: kept } };
}
