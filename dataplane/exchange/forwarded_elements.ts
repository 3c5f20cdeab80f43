/** One element of Forwarded (RFC 7239 section 4); what it does not say is "". */
export interface ForwardedElement {
  /** Who sent the request to the proxy that wrote the element, without quotes. */
  readonly for: string;
  readonly proto: string;
  readonly host: string;
}

/** A pair with its separator, which a comma is not: elements are taken apart before. Each character is looked at once. */
const PAIR =
  /[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~:[\]-]+)|"((?:[^"\\]|\\.)*)")[ \t]*(;|$)/y;

/** The elements at the end of a Forwarded field, and the text that they were read from. */
export interface ForwardedEnd {
  readonly elements: readonly ForwardedElement[];
  readonly text: string;
}

/**
 * Reads a Forwarded field from its end, up to the first element that is malformed: what a client wrote in front must
 * not hide what the proxies behind it have added.
 * @param most elements to read
 */
export function forwardedEnd(value: string, most: number): ForwardedEnd {
  const elements: ForwardedElement[] = [];
  let end = value.length;
  let start = value.length;
  while (elements.length < most && end >= 0) {
    const comma = value.lastIndexOf(",", end - 1);
    const element = elementOf(value.slice(comma + 1, end));
    if (element === null) break;
    elements.unshift(element);
    start = comma + 1;
    if (comma < 0) break;
    end = comma;
  }
  return { elements, text: value.slice(start).trim() };
}

function elementOf(text: string): ForwardedElement | null {
  const pairs = new Map<string, string>();
  PAIR.lastIndex = 0;
  for (;;) {
    const found = PAIR.exec(text);
    if (found === null) return null;
    const [, name, token, quoted, separator] = found;
    pairs.set(name.toLowerCase(), token ?? quoted.replace(/\\(.)/g, "$1"));
    if (separator === ";") continue;
    const { for: node = "", proto = "", host = "" } = Object.fromEntries(pairs);
    return { for: node, proto, host };
  }
}
