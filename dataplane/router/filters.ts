import { Buffer } from "node:buffer";
import {
  type BackendRef,
  type FieldEdit as FieldEditMessage,
  type PathModifier as PathModifierMessage,
  PathModifierType,
  type RuleFilters as RuleFiltersMessage,
  type UrlRewrite,
} from "../../proto/gen/novaedge/v1/config.ts";
import { type FieldEdit, fieldEdit, joinEdits } from "../message/field_edit.ts";
import type { LocalAnswer } from "../message/local_answer.ts";
import { intern } from "./intern.ts";
import { urlTemplate } from "../../common/url_template.ts";
import { linearSearch } from "../../common/linear.ts";
import type { PathModifier } from "./path_modifier.ts";
import type { RequestRedirect } from "./redirect.ts";

/** What a rule answers itself, and how it changes the path of what it passes on. */
export interface RuleFilters {
  readonly redirect: RequestRedirect | null;
  /** How the path that backends see is changed. */
  readonly path: PathModifier | null;
  /** What is answered instead of asking a backend. */
  readonly answer: LocalAnswer | null;
  /** Where copies go. */
  readonly mirrors: readonly MirrorTarget[];
}

/** A backend that gets copies of requests. */
export interface MirrorTarget {
  readonly backend: string;
  /** Share of the requests, 0 to 100. */
  readonly percent: number;
  /** Whether copies go without what proves who the client is. */
  readonly withoutCredentials: boolean;
}

/**
 * Compiles the filters of a rule; null for none.
 * @throws {PatternError} naming the place of a pattern that cannot be used
 */
export function compileFilters(
  message: RuleFiltersMessage | undefined,
  place: string,
): RuleFilters | null {
  if (message === undefined) return null;
  const { redirect, rewrite, directResponse, mirrors } = message;
  const nothing = redirect === undefined && directResponse === undefined &&
    rewrite?.path === undefined && mirrors.length === 0;
  if (nothing) return null;
  return {
    redirect: redirect === undefined ? null : {
      status: redirect.status,
      url: redirect.url,
      template: redirect.variables ? urlTemplate(redirect.url) : null,
      scheme: redirect.scheme,
      hostname: redirect.hostname,
      port: redirect.port,
      listenerPort: redirect.listenerPort,
      path: pathModifier(redirect.path, place),
    },
    path: pathModifier(rewrite?.path, place),
    mirrors: mirrors.map(({ backend, ...how }) => ({ backend: intern(backend), ...how })),
    answer: directResponse === undefined ? null : {
      status: directResponse.status,
      reason: "direct_response",
      // Bodies of answers are Latin-1; the text is UTF-8.
      body: Buffer.from(directResponse.body).toString("latin1"),
      fields: directResponse.body === ""
        ? []
        : [["content-type", directResponse.contentType || "text/plain; charset=utf-8"]],
    },
  };
}

/** Changes to the fields of requests and answers, null where nothing changes. */
export interface FieldEdits {
  readonly request: FieldEdit | null;
  readonly response: FieldEdit | null;
}

/**
 * The changes that a rule makes.
 * @throws {FieldEditError} for a field that must not be changed
 */
export function ruleEdits(message: RuleFiltersMessage | undefined): FieldEdits {
  return {
    request: joinEdits(hostEdit(message?.rewrite), compileEdit(message?.requestFields)),
    response: compileEdit(message?.responseFields),
  };
}

/**
 * The changes of a rule and, behind them, those of one of its shares.
 * @throws {FieldEditError} for a field that must not be changed
 */
export function shareEdits(rule: FieldEdits, share: BackendRef): FieldEdits {
  return {
    request: joinEdits(
      joinEdits(rule.request, hostEdit(share.rewrite)),
      compileEdit(share.requestFields),
    ),
    response: joinEdits(rule.response, compileEdit(share.responseFields)),
  };
}

function hostEdit(rewrite: UrlRewrite | undefined): FieldEdit | null {
  const { hostname = "" } = rewrite ?? {};
  return hostname === "" ? null : fieldEdit(["host"], [{ name: "host", value: hostname }]);
}

function compileEdit(message: FieldEditMessage | undefined): FieldEdit | null {
  return message === undefined ? null : fieldEdit(message.remove, message.add);
}

/**
 * Compiles how a path is changed; null for not at all.
 * @throws {PatternError} naming the place of a pattern that cannot be used
 */
export function pathModifier(
  message: PathModifierMessage | undefined,
  place: string,
): PathModifier | null {
  const { type, value, pattern } = message ?? {};
  switch (type) {
    case PathModifierType.PATH_MODIFIER_TYPE_FULL:
      return { kind: "full", value: value! };
    case PathModifierType.PATH_MODIFIER_TYPE_PREFIX:
      return { kind: "prefix", value: value! };
    case PathModifierType.PATH_MODIFIER_TYPE_REGEX:
      return { kind: "regex", value: value!, pattern: linearSearch(pattern!, place) };
    default:
      return null;
  }
}
