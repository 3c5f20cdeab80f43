import { join } from "node:path";
import { createLogger } from "../../../common/log.ts";
import { FolderWatch } from "./folder_watch.ts";

/** A watch whose events can be awaited. */
class Scene implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "novaedge-watch-" });
  readonly resources = join(this.folder, "resources");
  readonly #seen: string[] = [];
  #wake = () => {};
  readonly watch = new FolderWatch(this.resources, (event) => {
    this.#seen.push(...event.paths);
    this.#wake();
  }, createLogger("controller", "silent"));

  /** Resolves when an event has named the file since it was written. */
  async write(name: string): Promise<void> {
    const path = join(this.resources, name);
    this.#seen.length = 0;
    await Deno.writeTextFile(path, "a: 1\n");
    while (!this.#seen.includes(path)) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  async [Symbol.asyncDispose]() {
    this.watch.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("bug: a folder that was removed and made again lost its watch", async () => {
  await using scene = new Scene();
  await Deno.mkdir(scene.resources);
  await scene.watch.renew();
  await scene.write("a.yaml");
  await Deno.remove(scene.resources, { recursive: true });
  await Deno.mkdir(scene.resources);
  await scene.watch.renew();
  await scene.write("b.yaml");
});

Deno.test("a folder that comes later is watched from then on", async () => {
  await using scene = new Scene();
  await scene.watch.renew();
  await Deno.mkdir(scene.resources);
  await scene.watch.renew();
  await scene.watch.renew();
  await scene.write("a.yaml");
});
