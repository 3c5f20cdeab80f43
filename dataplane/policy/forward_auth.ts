import { Buffer } from "node:buffer";
import type { ForwardAuth as ForwardAuthMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { dashed, type FieldEdit, makeEdit } from "../message/field_edit.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";
import type { PolicyContext } from "./policy_context.ts";
import { urlTemplate } from "../../common/url_template.ts";
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
  "trailer",
]);
/** Fields by which a request asks for a part, or for nothing if it has that already: a decision has neither. */
const CONDITIONAL = /^(if-|range$)/;
/** Fields by which the gateway says what it asks about; nobody else says it. */
const OURS = ["method", "proto", "host", "uri", "for"].map((name) => `x-forwarded-${name}`);
/** Fields of a refusal that the gateway writes itself. */
const NEVER_ANSWERED = new Set(["content-length", "date", "connection", "transfer-encoding"]);
/** Those that make sense without the body. */
const WITHOUT_BODY = new Set(["www-authenticate", "location", "set-cookie", "retry-after"]);

const NOTHING: ReadonlySet<string> = new Set();

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
  /** Fields that its answer gives to the response. */
  readonly #forClients: ReadonlySet<string>;
  readonly #remembered = new Recent<Remembered>(REMEMBERED, REMEMBERED_CHARACTERS);

  constructor(message: ForwardAuthMessage, context: PolicyContext) {
    this.#message = message;
    this.#context = context;
    this.#asked = message.requestFields.length === 0
      ? null
      : new Set(message.requestFields.filter((name) => name !== "host"));
    this.#taken = new Set(message.answerFields);
    this.#forClients = new Set(message.clientFields);
    this.#removed = new Set(message.answerFields.map(dashed));
  }

  check(request: PolicyRequest): Verdict {
    const { cacheMs, backend, timeoutMs } = this.#message;
    const fields = this.#fieldsOf(request);
    // All that the server is asked, so that nobody else gets what it answers.
    const key = cacheMs === 0 ? "" : fields.map((field) => field.join(":")).join("\n");
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
      share: request.share,
      method: "GET",
      head: questionHead("GET", this.#message.path, fields),
      body: null,
      timeout: timeoutMs,
      fresh: false,
    };
    return ask(endpoint.pool, asked, ticker).then((answer) => {
      endpoint.load.leave();
      if (typeof answer === "string" || answer.status >= 500 || answer.status === 304) {
        return UNAVAILABLE;
      }
      if (answer.status === 401 && this.#message.signin !== "") return this.#signin(request);
      if (answer.status >= 300) return refused(answer);
      const edit = makeEdit(this.#removed, linesOf(answer, this.#taken), true);
      request.changeRequest(edit);
      // Those that are remembered went to the client with the first response.
      const lines = linesOf(answer, this.#forClients);
      if (lines.length > 0) request.changeAnswer(makeEdit(NOTHING, lines));
      if (cacheMs > 0) this.#remembered.set(key, { edit, until: ticker.now + cacheMs });
      return null;
    });
  }

  /** Sends a client to where it can say who it is, and from there back here. */
  #signin(request: PolicyRequest): Refusal {
    const { scheme, host } = request.origin();
    const here = `${scheme}://${host}${request.target()}`;
    const { signin, signinVariables } = this.#message;
    const back = `${signin}${signin.includes("?") ? "&" : "?"}rd=${encodeURIComponent(here)}`;
    const text = /[?&]rd=/.test(signin) ? signin : back;
    const { method, path, query } = request;
    const location = signinVariables
      ? urlTemplate(text)({ scheme, host, method, path, query })
      : text;
    const fields: [string, string][] = [["location", location]];
    const answer = { status: 302, reason: "", body: "", fields, passedOn: true };
    return { status: 302, reason: "forward_auth", answer };
  }

  /** What the server is told of a request. */
  #fieldsOf(request: PolicyRequest): (readonly [string, string])[] {
    const fields: (readonly [string, string])[] = [["host", this.#message.host]];
    for (const field of request.fields()) {
      const [name] = field;
      const wanted = this.#asked === null ? !NEVER_ASKED.has(name) : this.#asked.has(name);
      if (wanted && !OURS.includes(dashed(name)) && !CONDITIONAL.test(name)) fields.push(field);
    }
    const { scheme, host } = request.origin();
    fields.push(
      ["x-forwarded-method", request.method],
      ["x-forwarded-proto", scheme],
      ["x-forwarded-host", host],
      // As router and backend see it: they and the server must not read the same request in two ways.
      ["x-forwarded-uri", request.target()],
      ["x-forwarded-for", request.clientAddress()],
    );
    return fields;
  }
}

function linesOf({ fields }: Answer, names: ReadonlySet<string>): Buffer {
  let lines = "";
  for (const [name, value] of fields) if (names.has(name)) lines += `${name}: ${value}\r\n`;
  return Buffer.from(lines, "latin1");
}

function refused({ status, fields, body, cut }: Answer): Refusal {
  const kept = fields.filter(([name]) => cut ? WITHOUT_BODY.has(name) : !NEVER_ANSWERED.has(name));
  // A part of a body is not passed on as if it were the whole.
  const answer = { status, reason: "", body: cut ? "" : body, fields: kept, passedOn: true };
  return { status, reason: "forward_auth", answer };
}
