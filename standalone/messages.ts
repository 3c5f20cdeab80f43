import type { AgentFlags } from "../agent/agent.ts";
import type { Serving } from "../agent/serving.ts";
import type { ControllerFlags } from "../controller/controller_flags.ts";
import type { DataplaneFlags } from "../dataplane/dataplane.ts";
import type { DemoFlags } from "./demo/backends.ts";

/** A program and its flags. */
export type ProgramStart =
  | { readonly program: "controller"; readonly flags: ControllerFlags }
  /** It starts when these sockets are there. */
  | { readonly program: "agent"; readonly flags: AgentFlags; readonly after: readonly string[] }
  | { readonly program: "dataplane"; readonly flags: DataplaneFlags }
  | { readonly program: "demo"; readonly flags: DemoFlags };

export type ToChild =
  | ({ readonly type: "start" } & ProgramStart)
  | { readonly type: "reload" }
  | { readonly type: "reopen" }
  | { readonly type: "stop" };

export type FromChild =
  | { readonly type: "serving"; readonly serving: Serving }
  | { readonly type: "ended" }
  | { readonly type: "failed"; readonly reason: string };
