/** Base of the errors that cross module borders: a stable `code` to test for, and the cause. */
export class NovaEdgeError extends Error {
  /**
   * @param code stable upper-case identifier
   * @param message what happened, for people
   */
  constructor(readonly code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NovaEdgeError";
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
