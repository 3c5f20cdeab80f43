import { faults } from "../../dataplane/loop/containment.ts";

/** Collects the faults of a test instead of letting them be uncaught exceptions. */
export class CollectedFaults implements Disposable {
  readonly messages: string[] = [];
  readonly #report = faults.report;

  constructor() {
    faults.report = (error) => this.messages.push((error as Error).message);
  }

  [Symbol.dispose](): void {
    faults.report = this.#report;
  }
}
