/** A Cookie field without a cookie; "" when that was the only one. */
export function withoutCookie(field: string, name: string): string {
  return field.split(";").map((pair) => pair.trim())
    .filter((pair) => pair !== "" && pair.split("=", 1)[0].trim() !== name).join("; ");
}

/** Value of a cookie in a Cookie field (RFC 6265 section 4.2), without quotes; null when it is not there. */
export function cookieValue(field: string, name: string): string | null {
  for (const pair of field.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    return value.length > 1 && value.startsWith('"') && value.endsWith('"')
      ? value.slice(1, -1)
      : value;
  }
  return null;
}
