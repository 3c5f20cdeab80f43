import type {
  Policy as PolicyMessage,
  RateLimit as RateLimitMessage,
} from "../../proto/gen/novaedge/v1/config.ts";
import { type FieldEdit, fieldEdit } from "../message/field_edit.ts";
import { BasicAuth } from "./basic_auth.ts";
import { Cors } from "./cors.ts";
import { ForwardAuth } from "./forward_auth.ts";
import { type IpList, ipList } from "./ip_filter.ts";
import { Jwt } from "./jwt.ts";
import type { PolicyContext } from "./policy_context.ts";
import { RateLimit } from "./rate_limit.ts";
import { RedisLimit } from "./redis_limit.ts";
import { RequestLimits } from "./request_limits.ts";

/** What a policy does, by its type. */
export type PolicyPart =
  | { readonly type: "limits"; readonly check: RequestLimits }
  | { readonly type: "rate"; readonly check: RateLimit | RedisLimit }
  | { readonly type: "jwt"; readonly check: Jwt }
  | { readonly type: "basic"; readonly check: BasicAuth }
  | { readonly type: "forward"; readonly check: ForwardAuth }
  | { readonly type: "cors"; readonly cors: Cors }
  | { readonly type: "ip"; readonly list: IpList }
  | { readonly type: "answer"; readonly edit: FieldEdit | null }
  /** Nobody passes. */
  | { readonly type: "closed"; readonly reason: string };

/** A policy as one worker runs it. */
export interface PolicyRuntime {
  readonly name: string;
  readonly override: boolean;
  readonly part: PolicyPart;
}

/**
 * @param name the resource's
 * @throws {Error} naming what cannot be used
 */
export function compilePolicy(
  name: string,
  message: PolicyMessage,
  context: PolicyContext,
): PolicyRuntime {
  return { name, override: message.override, part: partOf(name, message, context) };
}

function partOf(
  name: string,
  { rule, closedReason }: PolicyMessage,
  context: PolicyContext,
): PolicyPart {
  if (closedReason !== "") return { type: "closed", reason: closedReason };
  switch (rule?.$case) {
    case "requestLimits":
      return { type: "limits", check: new RequestLimits(rule.value) };
    case "rateLimit":
      return { type: "rate", check: rateLimit(name, rule.value, context) };
    case "jwt":
      return { type: "jwt", check: new Jwt(rule.value, context) };
    case "basicAuth":
      return { type: "basic", check: new BasicAuth(rule.value, context) };
    case "forwardAuth":
      return { type: "forward", check: new ForwardAuth(rule.value, context) };
    case "cors":
      return { type: "cors", cors: new Cors(rule.value) };
    case "ipList":
      return { type: "ip", list: ipList(rule.value) };
    case "answerFields":
      return { type: "answer", edit: fieldEdit(rule.value.remove, rule.value.add) };
    default:
      return { type: "closed", reason: "a policy of a type that this version does not know" };
  }
}

function rateLimit(
  name: string,
  message: RateLimitMessage,
  context: PolicyContext,
): RateLimit | RedisLimit {
  const { redis } = message;
  return redis === undefined
    ? new RateLimit(message, context.numberOf(name), context)
    : new RedisLimit(name, message, redis, context);
}

/** Lets go of what a policy holds beside memory. */
export function dispose({ part }: PolicyRuntime): void {
  if (part.type === "jwt") part.check.dispose();
  else if (part.type === "rate" && part.check instanceof RedisLimit) part.check.dispose();
}
