import { type Static, Type } from "typebox";
import { type KindDefinition, unserved } from "./kind.ts";
import {
  bool,
  choice,
  closed,
  duration,
  integer,
  list,
  metadata,
  name,
  namespace,
  optional,
  port,
  routeHostname,
  size,
  text,
} from "./schema.ts";

const MAX = Number.MAX_SAFE_INTEGER;

const valueMatch = () =>
  closed({
    type: optional(choice(["Exact", "Prefix", "RegularExpression", "Present", "Absent"], {
      default: "Exact",
    })),
    name: text({ minLength: 1 }),
    value: optional(text({ description: "Not with Present and Absent." })),
    invert: optional(bool({ description: "Holds when the value differs or is absent." })),
  });

const pathModifier = () =>
  closed({
    type: choice(["ReplaceFullPath", "ReplacePrefixMatch", "ReplaceRegularExpression"]),
    value: text({ description: "What stands in its place; $1 to $9 are groups of the pattern." }),
    pattern: optional(text({ minLength: 1, description: "For ReplaceRegularExpression." })),
  });

const backendRef = () =>
  closed({
    name: name(),
    namespace: optional(namespace()),
    weight: optional(integer(0, 1_000_000, { default: 1 })),
  });

const redirectStatus = () =>
  Type.Unsafe<301 | 302 | 303 | 307 | 308>({
    type: "integer",
    enum: [301, 302, 303, 307, 308],
    default: 302,
  });

const headers = () => list(closed({ name: text({ minLength: 1 }), value: text() }));

const operation = () =>
  closed({
    op: choice(["add", "remove", "replace", "move", "copy"]),
    path: text(),
    from: optional(text()),
    value: optional(text()),
  });

const rule = closed({
  name: optional(name({ description: "By which a policy can target the rule alone." })),
  matches: optional(list(
    closed({
      path: optional(closed({
        type: choice(["Exact", "PathPrefix", "RegularExpression"]),
        value: text({ minLength: 1 }),
      })),
      method: optional(
        choice(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"]),
      ),
      clientCIDRs: optional(list(text({ minLength: 1 }), {
        maxItems: 64,
        description: "Networks of clients that the match serves; all when empty.",
      })),
      headers: optional(list(valueMatch(), { maxItems: 16 })),
      queryParams: optional(list(valueMatch(), { maxItems: 16 })),
    }),
    { maxItems: 8 },
  )),
  backendRefs: optional(list(backendRef(), {
    minItems: 1,
    maxItems: 16,
    description: "May be left out where a filter answers every request.",
  })),
  upgrades: optional(list(text({ minLength: 1 }), {
    maxItems: 8,
    description: "Protocols beside websocket that clients may upgrade to.",
  })),
  timeout: optional(duration({ description: "Total time for one request; 0s is no limit." })),
  backendTimeout: optional(duration({ description: "Time for one try at a backend." })),
  filters: optional(list(
    closed({
      type: choice([
        "AddHeader",
        "RemoveHeader",
        "RequestRedirect",
        "URLRewrite",
        "RequestMirror",
        "ResponseAddHeader",
        "ResponseRemoveHeader",
        "ResponseSetHeader",
        "SetHeader",
        "DirectResponse",
      ]),
      add: optional(headers()),
      set: optional(headers()),
      remove: optional(list(text())),
      redirectURL: optional(text({ description: "Complete target, instead of redirect." })),
      redirect: optional(closed({
        scheme: optional(choice(["http", "https"])),
        hostname: optional(text({ minLength: 1 })),
        port: optional(port()),
        path: optional(pathModifier()),
        statusCode: optional(redirectStatus()),
      })),
      rewritePath: optional(text({ description: "Complete path, instead of rewrite." })),
      rewrite: optional(closed({
        hostname: optional(text({ minLength: 1 })),
        path: optional(pathModifier()),
      })),
      directResponse: optional(closed({
        statusCode: integer(200, 599),
        contentType: optional(text({ default: "text/plain; charset=utf-8" })),
        body: optional(text({ description: "UTF-8." })),
      })),
      responseAdd: optional(headers()),
      responseRemove: optional(list(text())),
      responseSet: optional(headers()),
      mirrorBackend: optional(backendRef()),
      mirrorPercent: optional(integer(0, 100, { default: 100 })),
      mirrorCredentials: optional(bool({
        default: true,
        description: "Whether copies have Authorization, Proxy-Authorization and Cookie.",
      })),
    }),
    { maxItems: 16 },
  )),
  limits: optional(closed({
    requestTimeout: optional(duration()),
    idleTimeout: optional(duration({
      description: "Time that a backend may go without a byte; 60s, of upgrades 300s.",
    })),
    maxRequestBodySize: optional(size()),
  })),
  maxRequestBodySize: optional(integer(0, MAX)),
  mirror: optional(closed({
    backendRef: backendRef(),
    percentage: optional(integer(0, 100, { default: 100 })),
    credentials: optional(bool({
      default: true,
      description: "Whether copies have Authorization, Proxy-Authorization and Cookie.",
    })),
  })),
  bodyMethods: optional(list(choice(["GET", "HEAD", "DELETE", "OPTIONS"]), {
    description:
      "Methods whose content the backends read. After other requests of these methods with content " +
      "an HTTP/1.1 connection is closed: a backend that leaves it unread takes it for the next request.",
  })),
  retry: optional(closed({
    maxRetries: optional(integer(0, 10, { default: 3 })),
    perTryTimeout: optional(duration()),
    retryOn: optional(list(text())),
    retryMethods: optional(list(text())),
    retryBudget: optional(Type.Number({ minimum: 0, maximum: 1 })),
    backoffBase: optional(duration()),
  })),
  buffering: optional(closed({
    request: optional(bool({ description: "Backends get requests when all of them has come." })),
    response: optional(bool({ description: "Answers are taken as fast as backends give them." })),
    maxSize: optional(size({
      default: "1Mi",
      description: "Of one message in memory; a larger request is 413.",
    })),
  })),
  bodyTransform: optional(closed({
    request: optional(list(operation())),
    response: optional(list(operation())),
    maxBodySize: optional(integer(0, MAX, { default: 1_048_576 })),
  })),
  faultInjection: optional(closed({
    delayDuration: optional(duration()),
    delayPercent: optional(integer(0, 100)),
    abortStatusCode: optional(integer(200, 599)),
    abortPercent: optional(integer(0, 100)),
    headerActivation: optional(text({
      minLength: 1,
      description: "Field that requests must have to be concerned; all when it is not set.",
    })),
  })),
});

const schema = Type.Object({
  apiVersion: Type.Literal("novaedge.io/v1alpha1"),
  kind: Type.Literal("ProxyRoute"),
  metadata: metadata(),
  spec: closed({
    parentRefs: optional(list(
      closed({
        name: name(),
        namespace: optional(namespace()),
        sectionName: optional(
          text({ description: "Listener of the gateway; every one when empty." }),
        ),
        port: optional(port()),
      }),
      { maxItems: 32, description: "Gateways; all of the route's namespace when empty." },
    )),
    hostnames: optional(list(routeHostname())),
    rules: list(rule, { minItems: 1, maxItems: 16 }),
    expression: optional(text()),
    accessLog: optional(closed({
      enabled: optional(bool()),
      format: optional(choice(["json", "clf", "custom"])),
      output: optional(choice(["stdout", "file", "both"])),
      filePath: optional(text()),
      maxSize: optional(size()),
      maxBackups: optional(integer(0, 1000)),
      template: optional(text()),
      filterStatusCodes: optional(list(integer(100, 599))),
      sampleRate: optional(integer(0, 100)),
    })),
    pipeline: optional(closed({
      middleware: optional(list(
        closed({
          type: choice(["builtin", "wasm"]),
          name: text(),
          priority: optional(integer(-MAX, MAX, { default: 100 })),
          config: optional(Type.Record(Type.String(), Type.String())),
        }),
        { maxItems: 32 },
      )),
    })),
  }),
});

export type ProxyRoute = Static<typeof schema>;
export type ProxyRouteRule = ProxyRoute["spec"]["rules"][number];

const FILTER = "spec.rules[].filters[]";

/** Which requests go where. */
export const PROXY_ROUTE: KindDefinition<typeof schema> = {
  group: "novaedge.io",
  version: "v1alpha1",
  kind: "ProxyRoute",
  plural: "proxyroutes",
  shortNames: ["prt"],
  schema,
  status: Type.Object({
    conditions: optional(list(Type.Any())),
    observedGeneration: optional(integer(0, MAX)),
  }),
  columns: [
    { name: "Hostnames", type: "string", jsonPath: ".spec.hostnames" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  rules: [{
    at: FILTER,
    rule: 'self.type != "RequestRedirect" || has(self.redirectURL) || has(self.redirect)',
    message: "RequestRedirect needs redirectURL or redirect",
  }, {
    at: FILTER,
    rule: 'self.type != "URLRewrite" || has(self.rewritePath) || has(self.rewrite)',
    message: "URLRewrite needs rewritePath or rewrite",
  }, {
    at: FILTER,
    rule: 'self.type != "RequestMirror" || has(self.mirrorBackend)',
    message: "RequestMirror needs mirrorBackend",
  }, {
    at: FILTER,
    rule: 'self.type != "DirectResponse" || has(self.directResponse)',
    message: "DirectResponse needs directResponse",
  }],
  unserved: [
    ...unserved(
      "rule",
      "spec.rules[].bodyTransform",
    ),
    ...unserved("route", "spec.expression", "spec.pipeline"),
    ...unserved(
      null,
      "spec.accessLog",
    ),
  ],
  strict: true,
};
