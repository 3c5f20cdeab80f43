const encoder = new TextEncoder();

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}

/** A line of the report, on stdout. */
export function print(line = ""): void {
  write(Deno.stdout, `${line}\n`);
}

/** A line about what is being done, on stderr, so that the report can be kept alone. */
export function progress(line: string): void {
  write(Deno.stderr, `${line}\n`);
}
