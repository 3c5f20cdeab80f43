/** Body of the small cases: 100 bytes. */
export const BODY_100 = "0123456789".repeat(10);
/** Body of the larger case: 16 KiB. */
export const BODY_16K = "0123456789abcdef".repeat(1024);
/** Lengths of the downloads. */
export const LENGTH_1M = 1024 * 1024;
export const LENGTH_100M = 100 * LENGTH_1M;
