/** One element of Forwarded (RFC 7239 section 4); what it does not say is "". */
export interface ForwardedElement {
  /** Who sent the request to the proxy that wrote the element, without quotes. */
  readonly for: string;
  readonly proto: string;
  readonly host: string;
}

/** A pair with its separator: "," begins another element. Each character is looked at once. */
const PAIR =
  /[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~:[\]-]+)|"((?:[^"\\]|\\.)*)")[ \t]*(;|,|$)/y;

/** The elements of a Forwarded field, in their order; null when it is malformed. */
export function forwardedElements(value: string): ForwardedElement[] | null {
  const elements: ForwardedElement[] = [];
  let pairs = new Map<string, string>();
  PAIR.lastIndex = 0;
  for (;;) {
    const found = PAIR.exec(value);
    if (found === null) return null;
    const [, name, token, quoted, separator] = found;
    pairs.set(name.toLowerCase(), token ?? quoted.replace(/\\(.)/g, "$1"));
    if (separator === ";") continue;
    const { for: node = "", proto = "", host = "" } = Object.fromEntries(pairs);
    elements.push({ for: node, proto, host });
    if (separator === "") return elements;
    pairs = new Map();
  }
}
