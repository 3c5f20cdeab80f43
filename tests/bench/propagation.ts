import { join } from "node:path";
import { startGateway } from "./gateway.ts";
import { OpenLoop } from "./open_loop.ts";
import { freePorts } from "./ports.ts";
import { progress } from "./print.ts";
import { ask } from "./raw_client.ts";
import { backendYaml, gatewayYaml, hostOf, oneFile, routeYaml } from "./resources.ts";
import { rawBackendCommand } from "./runtime.ts";
import { Scene, until } from "./scene.ts";
import { type ChangeTimes, VersionTracker } from "./version_tracker.ts";

/** How the resources lie in the folder: a file a route, or everything in one. */
export const LAYOUTS = ["files", "file"] as const;
export type Layout = typeof LAYOUTS[number];

/** Names of the two backends, which are what they answer too. */
const VERSIONS = ["a", "b"] as const;
const WORKERS = 2;
/** Milliseconds after which a change counts as lost. */
const LOST = 10_000;
const PROGRESS = 100;

export interface PropagationOptions {
  readonly routes: number;
  readonly changes: number;
  /** Requests per second to the route that changes. */
  readonly rate: number;
  readonly connections: number;
}

export interface PropagationResult {
  readonly layout: Layout;
  readonly routes: number;
  readonly times: ChangeTimes[];
  /** Changes that not every connection saw in time; the run ends at the first. */
  readonly lost: number;
  readonly sent: number;
  readonly answered: number;
  readonly wrong: number;
  readonly failed: number;
  readonly firstFailure: string;
}

/** A folder of resources and the one file that changes in it. */
interface Folder {
  readonly files: Record<string, string>;
  readonly changing: string;
  /** The changing file's content by the backend of the changing route. */
  readonly content: Readonly<Record<string, string>>;
}

function layOut(layout: Layout, common: string, routes: number, changed: number): Folder {
  const name = (index: number) => join("routes", `h${index}.yaml`);
  if (layout === "files") {
    const files: Record<string, string> = { "gateway.yaml": common };
    for (let i = 0; i < routes; i++) files[name(i)] = routeYaml(i, VERSIONS[0]);
    const content = Object.fromEntries(VERSIONS.map((v) => [v, routeYaml(changed, v)]));
    return { files, changing: name(changed), content };
  }
  const whole = (version: string) =>
    oneFile([
      common,
      ...Array.from(
        { length: routes },
        (_, index) => routeYaml(index, index === changed ? version : VERSIONS[0]),
      ),
    ]);
  const content = Object.fromEntries(VERSIONS.map((v) => [v, whole(v)]));
  return { files: { "all.yaml": content[VERSIONS[0]] }, changing: "all.yaml", content };
}

/** Changes one route among many again and again under load, and times each change. */
export async function runPropagation(
  layout: Layout,
  options: PropagationOptions,
): Promise<PropagationResult> {
  const { routes, changes, connections } = options;
  await using scene = new Scene();
  const [port, ...backendPorts] = freePorts(1 + VERSIONS.length);
  const changed = routes >> 1;
  const common = oneFile([
    gatewayYaml(port),
    ...VERSIONS.map((version, index) => backendYaml(version, backendPorts[index])),
  ]);
  const folder = layOut(layout, common, routes, changed);
  scene.spawn(
    "backends",
    rawBackendCommand(VERSIONS.map((version, index) => [backendPorts[index], version])),
  );
  progress(`propagation (${layout}): starting with ${routes} routes`);
  const gateway = await startGateway(scene, {
    files: folder.files,
    workers: WORKERS,
    core: null,
    besides: null,
  });
  const host = hostOf(changed);
  await until("the first answer", scene.children, async () => {
    const answer = await ask(port, host, "/");
    return answer?.body.toString() === VERSIONS[0];
  });

  const tracker = new VersionTracker(VERSIONS, connections);
  using load = new OpenLoop({
    port,
    host,
    connections,
    rate: options.rate,
    onAnswer: (connection, body, arrived) => tracker.answer(connection, body, arrived),
    onReplaced: (connection) => tracker.replaced(connection),
  });
  // Beside the watched folder, so that only the rename is seen.
  const staged = join(scene.folder, "staged.yaml");
  const target = join(gateway.resources, folder.changing);
  const times: ChangeTimes[] = [];
  let lost = 0;
  while (times.length < changes && lost === 0) {
    await Deno.writeTextFile(staged, folder.content[tracker.nextBody]);
    const change = await makeChange(tracker, () => Deno.renameSync(staged, target));
    if (change === null) lost++;
    else times.push(change);
    if (times.length % PROGRESS === 0) {
      progress(`propagation (${layout}): ${times.length} of ${changes} changes`);
    }
  }
  const { sent, answered, failed, firstFailure } = load;
  const { wrong } = tracker;
  return { layout, routes, times, lost, sent, answered, wrong, failed, firstFailure };
}

/** Makes a change and waits for every connection to see it; null when it is lost. */
export function makeChange(
  tracker: VersionTracker,
  change: () => void,
): Promise<ChangeTimes | null> {
  const { promise, resolve } = Promise.withResolvers<ChangeTimes | null>();
  const timer = setTimeout(() => resolve(null), LOST);
  tracker.change(performance.now(), (times) => {
    clearTimeout(timer);
    resolve(times);
  });
  change();
  return promise;
}
