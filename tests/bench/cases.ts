import { BODY_100, BODY_16K } from "./bodies.ts";

/** A case of the request bench. */
export interface RequestCase {
  readonly title: string;
  readonly routes: number;
  readonly path: string;
  readonly bodyLength: number;
  /** A connection per request. */
  readonly closing: boolean;
  /** Greatest CPU time per request of this gateway, in multiples of nginx's; null without a gate. */
  readonly gate: number | null;
}

const SMALL: RequestCase = {
  title: "keep-alive, 100 bytes, 5 routes",
  routes: 5,
  path: "/",
  bodyLength: BODY_100.length,
  closing: false,
  gate: null,
};

/** The cases by name, in the order they run. */
export const CASES: Readonly<Record<string, RequestCase>> = {
  small: SMALL,
  body16k: {
    ...SMALL,
    title: "keep-alive, 16 KiB, 5 routes",
    path: "/16k",
    bodyLength: BODY_16K.length,
  },
  newconn: {
    ...SMALL,
    title: "a connection per request, 100 bytes, 5 routes",
    closing: true,
  },
  routes1000: {
    ...SMALL,
    title: "keep-alive, 100 bytes, 1,000 routes asked for in turn, access log and metrics on",
    routes: 1000,
    gate: 1.6,
  },
};
