import { fieldProblem } from "../../common/field_problem.ts";
import { Field, FieldEdit } from "../../proto/gen/novaedge/v1/config.ts";

interface NamedValue {
  readonly name: string;
  readonly value: string;
}

/** Collects changes of header fields in the order in which filters make them. */
export class FieldChanges {
  readonly #removed = new Map<string, string>();
  #added: Field[] = [];
  /** Why one of the changes cannot be made; "" when all can. */
  problem = "";

  remove(names: readonly string[]): this {
    this.#refuseHost(names, "removed");
    return this.#remove(names);
  }

  add(fields: readonly NamedValue[]): this {
    this.#refuseHost(fields.map(({ name }) => name), "added");
    return this.#add(fields);
  }

  set(fields: readonly NamedValue[]): this {
    return this.#remove(fields.map(({ name }) => name)).#add(fields);
  }

  /** A request has one Host, neither more nor less (RFC 9112 section 3.2). */
  #refuseHost(names: readonly string[], done: string): void {
    if (names.some((name) => name.toLowerCase() === "host")) {
      this.problem ||= `Host can be set but not ${done}`;
    }
  }

  #remove(names: readonly string[]): this {
    for (const name of names) {
      this.problem ||= fieldProblem(name) ?? "";
      const lower = name.toLowerCase();
      this.#removed.set(lower, lower);
      this.#added = this.#added.filter((field) => field.name !== lower);
    }
    return this;
  }

  #add(fields: readonly NamedValue[]): this {
    for (const { name, value } of fields) {
      this.problem ||= fieldProblem(name, value) ?? templateProblem(name, value);
      this.#added.push(Field.create({ name: name.toLowerCase(), value }));
    }
    return this;
  }

  /** The change as a whole, undefined when nothing changes. */
  message(): FieldEdit | undefined {
    if (this.#removed.size === 0 && this.#added.length === 0) return undefined;
    return FieldEdit.create({ remove: [...this.#removed.keys()], add: this.#added });
  }
}

/** Returns why a value that some gateways would evaluate cannot be sent; "" for any other value. */
function templateProblem(name: string, value: string): string {
  const template = /\{\{\s*\.[^}]*\}\}/.exec(value)?.[0];
  if (template === undefined) return "";
  const hint = /requestid/i.test(template)
    ? "; backends get the request's id as X-Request-ID without a filter"
    : "";
  return `${name}: templates such as ${template} are not served, and would be sent as text${hint}`;
}
