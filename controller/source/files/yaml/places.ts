/** Where the fields and items of a document stand. */
export class Places {
  readonly #offsets = new Map<unknown, Map<string | number, number>>();

  /** Notes the offset of a field or an item, in the text with line feeds only. */
  note(collection: object, step: string | number, offset: number): void {
    let steps = this.#offsets.get(collection);
    if (steps === undefined) this.#offsets.set(collection, steps = new Map());
    steps.set(entry(step), offset);
  }

  /** Returns the offset of the deepest field on a path that is there; null for the root. */
  find(root: unknown, path: readonly (string | number)[]): number | null {
    let offset: number | null = null;
    let value = root;
    for (const step of path) {
      const at = this.#offsets.get(value)?.get(entry(step));
      if (at === undefined) break;
      offset = at;
      value = (value as Record<string | number, unknown>)[step];
    }
    return offset;
  }
}

/** A key of a map: the engine hashes strings of digits alike by the thousand, and no others. */
function entry(step: string | number): string | number {
  return typeof step === "number" ? step : `.${step}`;
}
