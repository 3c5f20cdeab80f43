import { Hono } from "hono";
import { Kind, versionText } from "../../common/delta/resources.ts";
import { snapshotOf } from "../../common/delta/snapshot.ts";
import type { ResourceStore } from "../../common/delta/resource_store.ts";
import { messageOf } from "../../common/errors.ts";
import { LOG_LEVELS } from "../../common/log.ts";
import { Outcome, SourceError, type StatsReply } from "../../proto/gen/novaedge/v1/distribution.ts";

/** What the admin API shows and does. */
export interface AdminContext {
  readonly node: string;
  readonly store: ResourceStore;
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

/** The loopback API: what runs here, what became of each object, and why a request goes where it goes. */
export function adminApp(context: AdminContext): Hono {
  const app = new Hono();
  app.onError((error, c) => c.json({ error: messageOf(error) }, 503));
  app.get("/", (c) =>
    c.text(
      "GET /config /endpoints /why?url=URL&method=GET&header=name:value /ready /healthz /metrics\n" +
        "PUT /logging?level=debug\n",
    ));
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/ready", (c) => {
    const { ready, reason } = context.ready();
    return ready ? c.text("ready\n") : c.text(`${reason}\n`, 503);
  });
  app.get("/metrics", async (c) => c.text(await context.metrics()));
  app.get("/config", (c) => c.json(dump(context)));
  app.get("/endpoints", async (c) => {
    const { endpoints, listeners, workers, version } = await context.stats();
    return c.json({ version: versionText(version), workers, listeners, endpoints });
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
    return c.json(JSON.parse(json));
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

/** Everything held, without key material: of certificates and policies only their names and types are shown. */
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
    backends: backends.map((backend) => ({
      ...backend,
      affinity: backend.affinity === undefined ? undefined : { ...backend.affinity, key: "" },
    })),
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
