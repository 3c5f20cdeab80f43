import { Hono } from "hono";
import { Kind, versionText } from "../../common/delta/resources.ts";
import { snapshotOf } from "../../common/delta/snapshot.ts";
import type { ResourceStore } from "../../common/delta/resource_store.ts";
import { messageOf } from "../../common/errors.ts";
import type { HostAllowlist } from "../../common/host_allowlist.ts";
import { LOG_LEVELS } from "../../common/log.ts";
import { redactText, redactTree } from "../../common/redact.ts";
import { hostRefusal, originRefusal } from "../../common/request_guard.ts";
import { Outcome, SourceError, type StatsReply } from "../../proto/gen/novaedge/v1/distribution.ts";

/** What the admin API shows and does. */
export interface AdminContext {
  readonly node: string;
  readonly store: ResourceStore;
  /** `reason` says why it is not ready, or what is missing all the same. */
  ready(): { ready: boolean; reason: string };
  state(): Record<string, unknown>;
  stats(): Promise<StatsReply>;
  explain(method: string, url: string, headers: Record<string, string>): Promise<string>;
  metrics(): Promise<string>;
  setLogLevel(level: string): Promise<void>;
}

/** Outcomes of all source objects. */
export function outcomesOf(store: ResourceStore): Outcome[] {
  return [...store.values()].filter(({ kind }) => kind === Kind.KIND_OUTCOME)
    .map(({ body }) => Outcome.decode(body));
}

/** The outcomes, with the routes that each listener of a Gateway has. */
function shownOutcomes(store: ResourceStore): unknown[] {
  const outcomes = outcomesOf(store);
  const attached = new Map<string, number>();
  for (const { parents } of outcomes) {
    // A route that names a listener twice is one route.
    const keys = new Set(
      parents.flatMap(({ namespace, name, listeners }) =>
        listeners.map((listener) => `${namespace}/${name}/${listener}`)
      ),
    );
    for (const key of keys) attached.set(key, (attached.get(key) ?? 0) + 1);
  }
  return outcomes.map((outcome) => ({
    ...outcome,
    listeners: outcome.listeners.map((listener) => ({
      ...listener,
      attachedRoutes: attached.get(`${outcome.namespace}/${outcome.name}/${listener.name}`) ?? 0,
    })),
  }));
}

/** Problems of the source. */
export function sourceErrorsOf(store: ResourceStore): SourceError[] {
  return [...store.values()].filter(({ kind }) => kind === Kind.KIND_SOURCE_ERROR)
    .map(({ body }) => SourceError.decode(body));
}

/** Methods that are served. Only PUT changes state, and no HTML form can send it. */
const METHODS = ["GET", "HEAD", "PUT"];

/**
 * The loopback API: what runs here, what became of each object, and why a request goes where it goes. It has
 * no login. Web pages are kept out by refusing other hosts and origins before any handler runs, and by never
 * sending a CORS header. All responses are redacted.
 * @param hosts accepted in Host
 */
export function adminApp(context: AdminContext, hosts: HostAllowlist): Hono {
  const app = new Hono();
  app.onError((error, c) => c.json({ error: redactText(messageOf(error)) }, 503));
  app.use(async (c, next): Promise<Response | void> => {
    const { raw } = c.req;
    const refused = hostRefusal(raw, hosts) ?? originRefusal(raw);
    if (refused !== null) return refused;
    if (!METHODS.includes(raw.method)) {
      return c.text(`methods are ${METHODS.join(", ")}\n`, 405, { allow: METHODS.join(", ") });
    }
    await next();
    c.header("cache-control", "no-store");
    c.header("cross-origin-resource-policy", "same-origin");
    c.header("x-content-type-options", "nosniff");
  });
  app.get("/", (c) =>
    c.text(
      "GET /config /endpoints /why?url=URL&method=GET&header=name:value /ready /healthz /metrics\n" +
        "PUT /logging?level=debug\n",
    ));
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/ready", (c) => {
    const { ready, reason } = context.ready();
    if (!ready) return c.text(`${reason}\n`, 503);
    return c.text(reason === "" ? "ready\n" : `ready, but ${reason}\n`);
  });
  app.get("/metrics", async (c) => c.text(await context.metrics()));
  app.get("/config", (c) => c.json(redactTree(dump(context))));
  app.get("/endpoints", async (c) => {
    const { endpoints, listeners, workers, version } = await context.stats();
    return c.json(
      redactTree({ version: versionText(version), workers, listeners, endpoints }),
    );
  });
  app.get("/why", async (c) => {
    const url = c.req.query("url");
    if (url === undefined || !URL.canParse(url)) {
      return c.json({ error: "give a full URL: /why?url=http://shop.example.com/cart" }, 400);
    }
    const headers: Record<string, string> = {};
    for (const line of c.req.queries("header") ?? []) {
      const colon = line.indexOf(":");
      if (colon > 0) headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
    }
    const json = await context.explain(c.req.query("method") ?? "GET", url, headers);
    return c.json(redactTree(JSON.parse(json)));
  });
  app.put("/logging", async (c) => {
    const level = c.req.query("level") ?? "";
    if (!(LOG_LEVELS as readonly string[]).includes(level)) {
      return c.json({ error: `level must be one of ${LOG_LEVELS.join(", ")}` }, 400);
    }
    await context.setLogLevel(level);
    return c.json({ level });
  });
  return app;
}

/** Returns everything held, before redaction. Certificates and policies are reduced to names and types. */
function dump({ node, store, state }: AdminContext): Record<string, unknown> {
  const { gateways, routes, backends, policies, certificates } = snapshotOf(
    store.version,
    store.values(),
  );
  return {
    node,
    version: versionText(store.version),
    ...state(),
    errors: sourceErrorsOf(store),
    objects: shownOutcomes(store),
    gateways,
    routes,
    backends,
    // Their settings hold passwords and keys.
    policies: policies.map(({ namespace, name, rule, closedReason }) => ({
      namespace,
      name,
      rule: rule?.$case ?? "",
      closedReason,
    })),
    certificates: certificates.map(({ namespace, name }) => ({ namespace, name })),
  };
}
