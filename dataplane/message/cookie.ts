/** A Cookie field without a cookie; "" when that was the only one. */
export function withoutCookie(field: string, name: string): string {
  return field.split(";").map((pair) => pair.trim())
    .filter((pair) => pair !== "" && pair.split("=", 1)[0].trim() !== name).join("; ");
}

/** Value of a cookie in a Cookie field (RFC 6265 section 4.2), without quotes; null when it is not there. */
export function cookieValue(field: string, name: string): string | null {
  let equals = field.indexOf("=");
  for (let at = 0; equals >= 0;) {
    const semicolon = field.indexOf(";", at);
    const end = semicolon < 0 ? field.length : semicolon;
    if (equals < end) {
      if (equals - at >= name.length && field.slice(at, equals).trim() === name) {
        return unquoted(field.slice(equals + 1, end).trim());
      }
      // Found again only behind the pair: a pair without one must not have the rest searched.
      equals = field.indexOf("=", end);
    }
    at = end + 1;
  }
  return null;
}

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}
