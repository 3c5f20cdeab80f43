/** Counts the characters that a call looks at: the cost of a reader, whatever the machine. */
export function characterSteps(read: () => void): number {
  let count = 0;
  const original = String.prototype.charCodeAt;
  String.prototype.charCodeAt = function (index) {
    count++;
    return original.call(this, index);
  };
  try {
    read();
  } finally {
    String.prototype.charCodeAt = original;
  }
  return count;
}
