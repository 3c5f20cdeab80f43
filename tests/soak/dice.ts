/** A whole number from `least` to `most`, both included. */
export function roll(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1));
}

export function chance(probability: number): boolean {
  return Math.random() < probability;
}

export function pick<T>(choices: readonly T[]): T {
  return choices[roll(0, choices.length - 1)];
}

/** A length up to `most` of which small ones are as likely as large ones, and sometimes 0. */
export function rollLength(most: number): number {
  return chance(0.05) ? 0 : Math.floor(Math.exp(Math.random() * Math.log(most)));
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
