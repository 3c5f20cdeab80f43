/** Version of the whole suite. */
export const VERSION = "0.1.0";
