import { findProgram } from "./programs.ts";

/** A program that the bench does not bring along. */
interface Tool {
  readonly name: string;
  /** Package of Debian that has it. */
  readonly package: string;
  /** What is lost without it. */
  readonly loss: string;
}

const TOOLS: readonly Tool[] = [
  {
    name: "nginx",
    package: "nginx",
    loss: "no ratios and gates; our raw backend answers, without the downloads",
  },
  { name: "haproxy", package: "haproxy", loss: "no comparison with HAProxy" },
  { name: "caddy", package: "caddy", loss: "no comparison with Caddy and no gates beside it" },
  {
    name: "wrk",
    package: "wrk",
    loss: "our raw generator asks, without TLS and the downloads",
  },
  {
    name: "h2load",
    package: "nghttp2-client",
    loss: "no cases of HTTP/2 and gRPC",
  },
  { name: "taskset", package: "util-linux", loss: "nothing is pinned to a core" },
];

/** A line for each program that is not installed. */
export function missingTools(): string[] {
  return TOOLS.filter(({ name }) => findProgram(name) === null).map((tool) =>
    `missing: ${tool.name} (package ${tool.package}): ${tool.loss}`
  );
}
