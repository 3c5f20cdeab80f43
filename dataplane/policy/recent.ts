/** Values by text, of which the least recently used go first; bounded by number and characters. */
export class Recent<V> {
  readonly #most: number;
  readonly #mostCharacters: number;
  #fresh = new Map<string, V>();
  #old = new Map<string, V>();
  #characters = 0;

  /**
   * @param most values kept; at least half as many are
   * @param mostCharacters of the keys
   */
  constructor(most: number, mostCharacters: number) {
    this.#most = most / 2;
    this.#mostCharacters = mostCharacters / 2;
  }

  get(key: string): V | undefined {
    const fresh = this.#fresh.get(key);
    if (fresh !== undefined) return fresh;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#fresh.size >= this.#most || this.#characters >= this.#mostCharacters) {
      this.#old = this.#fresh;
      this.#fresh = new Map();
      this.#characters = 0;
    }
    if (!this.#fresh.has(key)) this.#characters += key.length;
    this.#fresh.set(key, value);
  }

  delete(key: string): void {
    this.#fresh.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#fresh.clear();
    this.#old.clear();
    this.#characters = 0;
  }
}
