/** Two hexadecimal digits by value. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

let low = 255;
let high = -1;
let beginning = "";
let prefixOfBeginning = "";

/**
 * The next id of this worker's requests: `prefix` and twelve hexadecimal digits that count up. All but
 * the last two digits are made once in 256 ids.
 */
export function nextRequestId(prefix: string): string {
  if (++low === 256 || prefix !== prefixOfBeginning) {
    low = 0;
    high++;
    prefixOfBeginning = prefix;
    beginning = prefix + high.toString(16).padStart(10, "0");
  }
  return beginning + HEX[low];
}
