let dateSecond = 0;
let dateText = "";

/**
 * The time as RFC 9110 section 5.6.7 has it, built once a second.
 * @param now milliseconds since 1970
 */
export function httpDate(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
