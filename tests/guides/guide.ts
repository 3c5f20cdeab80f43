/** A request that a guide shows, and what is printed for it. */
export interface Example {
  /** The command as written. */
  readonly command: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  /** Whether the answer's head is printed too. */
  readonly withHead: boolean;
  /** Lines printed; "..." stands for any number of lines. */
  readonly expected: readonly string[];
}

/** What a guide has for a test. */
export interface Guide {
  /** Resources of all its blocks. */
  readonly resources: string;
  readonly examples: readonly Example[];
}

const FENCE = /^```(\w+)\n(.*?)^```$/gms;

/** Reads the YAML and console blocks of a page. */
export function readGuide(page: string): Guide {
  const documents: string[] = [];
  const examples: Example[] = [];
  for (const [, language, text] of page.matchAll(FENCE)) {
    if (language === "yaml") documents.push(text);
    if (language !== "console") continue;
    for (const [, command, output] of text.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      examples.push(readCommand(command, output.trimEnd().split("\n")));
    }
  }
  return { resources: documents.join("---\n"), examples };
}

/** Understands the curl of the guides. */
function readCommand(command: string, expected: readonly string[]): Example {
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted ?? plain
  );
  if (words.shift() !== "curl") throw new Error(`not a curl command: ${command}`);
  const headers: [string, string][] = [];
  let method = "";
  let body = "";
  let withHead = false;
  let url: URL | null = null;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "-i") withHead = true;
    else if (word === "-X") method = words.shift()!;
    else if (word === "-d") body = words.shift()!;
    else if (word === "-H") {
      const [, name, value] = /^([^:]+): *(.*)$/.exec(words.shift()!)!;
      headers.push([name, value]);
    } else if (word.startsWith("-")) throw new Error(`guides do not use ${word}: ${command}`);
    else url = new URL(word);
  }
  if (url === null) throw new Error(`no URL: ${command}`);
  method ||= body === "" ? "GET" : "POST";
  return { command, method, url, headers, body, withHead, expected };
}

/** Whether the lines are those expected. */
export function printsAsShown(lines: readonly string[], expected: readonly string[]): boolean {
  let at = 0;
  let skipping = false;
  for (const line of expected) {
    if (line === "...") {
      skipping = true;
      continue;
    }
    if (skipping) { while (at < lines.length && lines[at] !== line) at++; }
    if (lines[at] !== line) return false;
    at++;
    skipping = false;
  }
  return skipping || at === lines.length;
}
