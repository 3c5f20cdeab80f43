import { type Static, Type } from "typebox";
import { apiVersion, gatewayKind } from "./gateway_api.ts";
import {
  choice,
  duration,
  hostname,
  integer,
  list,
  metadata,
  name,
  namespace,
  optional,
  port,
  text,
} from "./schema.ts";

/** The routes of the Gateway API (v1.7) as translation reads them; fields we do not read may be there. */

const open = Type.Object;

const parentRef = () =>
  open({
    group: optional(text()),
    kind: optional(text()),
    namespace: optional(namespace()),
    name: name(),
    sectionName: optional(text()),
    port: optional(port()),
  });

const headers = () => list(open({ name: text({ minLength: 1 }), value: text() }));

const headerModifier = () =>
  open({ set: optional(headers()), add: optional(headers()), remove: optional(list(text())) });

const pathModifier = () =>
  open({
    type: choice(["ReplaceFullPath", "ReplacePrefixMatch"]),
    replaceFullPath: optional(text()),
    replacePrefixMatch: optional(text()),
  });

const objectRef = () => ({
  group: optional(text()),
  kind: optional(text()),
  name: text({ minLength: 1 }),
  namespace: optional(namespace()),
  port: optional(port()),
});

const filter = () =>
  open({
    type: text({ minLength: 1 }),
    requestHeaderModifier: optional(headerModifier()),
    responseHeaderModifier: optional(headerModifier()),
    requestMirror: optional(open({
      backendRef: open(objectRef()),
      percent: optional(integer(0, 100)),
      fraction: optional(open({
        numerator: integer(0, 1_000_000_000),
        denominator: optional(integer(1, 1_000_000_000)),
      })),
    })),
    requestRedirect: optional(open({
      scheme: optional(choice(["http", "https"])),
      hostname: optional(text({ minLength: 1 })),
      path: optional(pathModifier()),
      port: optional(port()),
      statusCode: optional(
        Type.Unsafe<301 | 302 | 303 | 307 | 308>({
          type: "integer",
          enum: [301, 302, 303, 307, 308],
        }),
      ),
    })),
    urlRewrite: optional(open({
      hostname: optional(text({ minLength: 1 })),
      path: optional(pathModifier()),
    })),
    cors: optional(open({
      allowOrigins: optional(list(text())),
      allowCredentials: optional(Type.Boolean()),
      allowMethods: optional(list(text())),
      allowHeaders: optional(list(text())),
      exposeHeaders: optional(list(text())),
      maxAge: optional(integer(1, 2 ** 31 - 1)),
    })),
  });

const backendRef = () =>
  open({
    ...objectRef(),
    weight: optional(integer(0, 1_000_000)),
    filters: optional(list(filter(), { maxItems: 16 })),
  });

const valueMatch = () =>
  open({
    type: optional(choice(["Exact", "RegularExpression"], { default: "Exact" })),
    name: text({ minLength: 1 }),
    value: text(),
  });

const common = () => ({
  parentRefs: optional(list(parentRef(), { maxItems: 32 })),
  hostnames: optional(list(hostname(), { maxItems: 16 })),
});

const httpRoute = open({
  apiVersion: apiVersion(),
  kind: Type.Literal("HTTPRoute"),
  metadata: metadata(),
  spec: open({
    ...common(),
    rules: optional(list(
      open({
        name: optional(text()),
        matches: optional(list(
          open({
            path: optional(open({
              type: optional(choice(["Exact", "PathPrefix", "RegularExpression"])),
              value: optional(text({ minLength: 1 })),
            })),
            method: optional(text({ minLength: 1 })),
            headers: optional(list(valueMatch(), { maxItems: 16 })),
            queryParams: optional(list(valueMatch(), { maxItems: 16 })),
          }),
          { maxItems: 64 },
        )),
        filters: optional(list(filter(), { maxItems: 16 })),
        backendRefs: optional(list(backendRef(), { maxItems: 16 })),
        timeouts: optional(open({
          request: optional(duration()),
          backendRequest: optional(duration()),
        })),
        retry: optional(open({
          codes: optional(list(integer(400, 599))),
          attempts: optional(integer(0, 1000)),
          backoff: optional(duration()),
        })),
        sessionPersistence: optional(Type.Any()),
      }),
      { maxItems: 16 },
    )),
  }),
});

export type HttpRoute = Static<typeof httpRoute>;
export type HttpRouteRule = NonNullable<HttpRoute["spec"]["rules"]>[number];
export type GatewayFilter = NonNullable<HttpRouteRule["filters"]>[number];
export type GatewayBackendRef = NonNullable<HttpRouteRule["backendRefs"]>[number];
export type ParentRef = NonNullable<HttpRoute["spec"]["parentRefs"]>[number];
export const HTTP_ROUTE = gatewayKind("HTTPRoute", "httproutes", httpRoute);

const grpcRoute = open({
  apiVersion: apiVersion(),
  kind: Type.Literal("GRPCRoute"),
  metadata: metadata(),
  spec: open({
    ...common(),
    rules: optional(list(
      open({
        name: optional(text()),
        matches: optional(list(
          open({
            method: optional(open({
              type: optional(choice(["Exact", "RegularExpression"], { default: "Exact" })),
              service: optional(text({ minLength: 1 })),
              method: optional(text({ minLength: 1 })),
            })),
            headers: optional(list(valueMatch(), { maxItems: 16 })),
          }),
          { maxItems: 64 },
        )),
        filters: optional(list(filter(), { maxItems: 16 })),
        backendRefs: optional(list(backendRef(), { maxItems: 16 })),
        sessionPersistence: optional(Type.Any()),
      }),
      { maxItems: 16 },
    )),
  }),
});

export type GrpcRoute = Static<typeof grpcRoute>;
export const GRPC_ROUTE = gatewayKind("GRPCRoute", "grpcroutes", grpcRoute);

/** Routes of connections: their statuses are written, traffic of theirs is not served. */
function streamRoute<const K extends "TLSRoute" | "TCPRoute" | "UDPRoute">(kind: K) {
  return open({
    apiVersion: Type.Enum(
      ["v1", "v1alpha2", "v1alpha3"].map((v) => `gateway.networking.k8s.io/${v}`),
    ),
    kind: Type.Literal(kind),
    metadata: metadata(),
    spec: open({
      parentRefs: optional(list(parentRef(), { maxItems: 32 })),
      hostnames: optional(list(hostname())),
      rules: optional(list(open({ backendRefs: optional(list(backendRef())) }))),
    }),
  });
}

const tlsRoute = streamRoute("TLSRoute");
export type TlsRoute = Static<typeof tlsRoute>;
export const TLS_ROUTE = gatewayKind("TLSRoute", "tlsroutes", tlsRoute);

const tcpRoute = streamRoute("TCPRoute");
export type TcpRoute = Static<typeof tcpRoute>;
export const TCP_ROUTE = gatewayKind("TCPRoute", "tcproutes", tcpRoute);

const udpRoute = streamRoute("UDPRoute");
export type UdpRoute = Static<typeof udpRoute>;
export const UDP_ROUTE = gatewayKind("UDPRoute", "udproutes", udpRoute);
