const WITHOUT_CONTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

/**
 * Whether servers read the content of requests of a method. That of GET, HEAD, DELETE and OPTIONS has no
 * meaning of its own (RFC 9110 sections 9.3.1, 9.3.2, 9.3.5), and many leave it in the connection.
 */
export function expectsContent(method: string): boolean {
  return !WITHOUT_CONTENT.has(method);
}
