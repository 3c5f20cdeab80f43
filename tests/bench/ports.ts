import { freePort } from "../support/programs.ts";

export { freePort };

/** Ports that nothing uses now, all different. */
export function freePorts(count: number): number[] {
  return Array.from({ length: count }, freePort);
}
