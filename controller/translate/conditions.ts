import type { ConditionType } from "../../api/condition_types.ts";
import { redactText } from "../../common/redact.ts";
import { type Condition, Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { SourceObject } from "./source_object.ts";

/**
 * Collects the conditions of one object; the first reason against a condition is the one shown. Messages
 * become statuses and events with a wider audience than the spec, so they are redacted.
 */
export class Conditions {
  readonly #conditions = new Map<ConditionType, Condition>();

  /** The condition holds unless something says otherwise. */
  expect(type: ConditionType): this {
    if (!this.#conditions.has(type)) {
      this.#conditions.set(type, { type, status: true, reason: type, message: "" });
    }
    return this;
  }

  /** The condition does not hold. */
  fail(type: ConditionType, reason: string, text: string): this {
    const message = redactText(text);
    const known = this.#conditions.get(type);
    if (known === undefined || known.status) {
      this.#conditions.set(type, { type, status: false, reason, message });
    } else if (!known.message.includes(message)) {
      this.#conditions.set(type, { ...known, message: `${known.message}; ${message}` });
    }
    return this;
  }

  /** A condition that is true when there is something to say. */
  note(type: ConditionType, reason: string, message: string): this {
    this.#conditions.set(type, { type, status: true, reason, message: redactText(message) });
    return this;
  }

  /** Whether nothing was said against a condition. */
  holds(type: ConditionType): boolean {
    return this.#conditions.get(type)?.status ?? true;
  }

  list(): Condition[] {
    return [...this.#conditions.values()];
  }

  outcome(object: SourceObject): Outcome {
    if (object.heldBecause !== "") this.fail("Accepted", "Invalid", object.heldBecause);
    return Outcome.create({
      kind: object.kind,
      namespace: object.namespace,
      name: object.name,
      conditions: [...this.#conditions.values()],
      source: object.origin,
    });
  }
}
