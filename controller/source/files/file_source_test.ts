import assert from "node:assert/strict";
import { join } from "node:path";
import { createLogger } from "../../../common/log.ts";
import { objectKey, type SourceChange } from "../../translate/source_object.ts";
import { FileSource } from "./file_source.ts";
import type { SourceProblem } from "../source_problem.ts";
import { LastGoodFile } from "./last_good.ts";

const log = createLogger("test", "silent");

function backend(name: string, port = 80): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec: { endpoints: [{ address: 127.0.0.1, port: ${port} }] }
`;
}

/** A source over a temporary folder, and what it holds now. */
class Fixture {
  readonly objects = new Map<string, SourceChange>();
  problems: readonly SourceProblem[] = [];
  steps = 0;
  source!: FileSource;
  #wake: (() => void)[] = [];

  private constructor(readonly folder: string, readonly resources: string) {}

  static async open(files: Record<string, string>): Promise<Fixture> {
    const folder = await Deno.makeTempDir({ prefix: "novaedge-source-" });
    const resources = join(folder, "resources");
    await Deno.mkdir(resources);
    const fixture = new Fixture(folder, resources);
    for (const [name, text] of Object.entries(files)) await fixture.write(name, text);
    await fixture.start();
    return fixture;
  }

  async start(): Promise<void> {
    const lastGood = await LastGoodFile.open(join(this.folder, "last_good"));
    this.source = new FileSource(
      this.resources,
      {
        take: (changes) => {
          this.steps++;
          for (const change of changes) {
            if (change.object === null) this.objects.delete(objectKey(change.key));
            else this.objects.set(objectKey(change.key), change);
          }
          const accepted = changes.map(({ key }) => key);
          return { wanted: new Set(), accepted, held: new Map() };
        },
        touched() {},
        publish: (problems) => {
          this.problems = problems;
          for (const wake of this.#wake.splice(0)) wake();
        },
      },
      lastGood,
      log,
    );
    await this.source.start();
  }

  write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(join(this.resources, name), text);
  }

  async rename(name: string, text: string): Promise<void> {
    const temporary = join(this.folder, "next");
    await Deno.writeTextFile(temporary, text);
    await Deno.rename(temporary, join(this.resources, name));
  }

  /** Ports of the backends by name. */
  get ports(): Record<string, number> {
    const entries = [...this.objects.values()].map(({ key, object }) => {
      const { spec } = object!.body as { spec: { endpoints: { port: number }[] } };
      return [key.name, spec.endpoints[0].port] as const;
    });
    return Object.fromEntries(entries.sort());
  }

  /** Resolves when the condition holds after some step. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("FileSource follows renames, writes in place, new subfolders and deletions", async () => {
  await using fixture = await Fixture.open({
    "a.yaml": backend("a"),
    "keep.yaml": backend("keep"),
  });
  assert.deepEqual(fixture.ports, { a: 80, keep: 80 });
  await fixture.rename("a.yaml", backend("a", 81));
  await fixture.until(() => fixture.ports.a === 81);
  await fixture.write("a.yaml", backend("a", 82));
  await fixture.until(() => fixture.ports.a === 82);
  await Deno.mkdir(join(fixture.resources, "sub/deep"), { recursive: true });
  await fixture.write("sub/deep/b.yml", backend("b"));
  await fixture.until(() => fixture.ports.b === 80);
  await Deno.remove(join(fixture.resources, "a.yaml"));
  await fixture.until(() => fixture.ports.a === undefined);
  assert.deepEqual(fixture.ports, { b: 80, keep: 80 });
});

Deno.test("FileSource removes nothing on a partial write in place that a second write completes", async () => {
  const whole = `${backend("a")}---\n${backend("b")}---\n${backend("c")}`;
  await using fixture = await Fixture.open({ "all.yaml": whole });
  let smallest = 3;
  const watch = () => {
    smallest = Math.min(smallest, fixture.objects.size);
    return fixture.ports.c === 99;
  };
  const done = fixture.until(watch);
  const file = await Deno.open(join(fixture.resources, "all.yaml"), {
    write: true,
    truncate: true,
  });
  const next = new TextEncoder().encode(whole.replace(/port: 80(?=[^]*$)/g, "port: 99"));
  const half = Math.floor(next.length / 3);
  await file.write(next.subarray(0, half));
  file.syncSync();
  await file.write(next.subarray(half));
  file.close();
  await done;
  assert.equal(smallest, 3);
});

Deno.test("FileSource removes objects that a write in place leaves out, once it has settled", async () => {
  await using fixture = await Fixture.open({ "all.yaml": `${backend("a")}---\n${backend("b")}` });
  await fixture.write("all.yaml", backend("a"));
  await fixture.until(() => fixture.objects.size === 1);
  assert.deepEqual(fixture.ports, { a: 80 });
});

Deno.test("FileSource reads a mounted ConfigMap once and follows its swap", async () => {
  await using fixture = await Fixture.open({ "keep.yaml": backend("keep") });
  const mount = join(fixture.resources, "mount");
  await Deno.mkdir(join(mount, "..1"), { recursive: true });
  await Deno.writeTextFile(join(mount, "..1", "a.yaml"), backend("a"));
  await Deno.symlink("..1", join(mount, "..data"));
  await Deno.symlink("..data/a.yaml", join(mount, "a.yaml"));
  await fixture.until(() => fixture.ports.a === 80);
  assert.deepEqual(fixture.problems, []);
  await Deno.mkdir(join(mount, "..2"));
  await Deno.writeTextFile(join(mount, "..2", "a.yaml"), backend("a", 81));
  await Deno.symlink("..2", join(mount, "..data_tmp"));
  await Deno.rename(join(mount, "..data_tmp"), join(mount, "..data"));
  await fixture.until(() => fixture.ports.a === 81);
  assert.deepEqual(fixture.problems, []);
});

Deno.test("FileSource keeps everything when the folder empties, and says so", async () => {
  await using fixture = await Fixture.open({ "a.yaml": backend("a"), "b.yaml": backend("b") });
  await Deno.remove(join(fixture.resources, "a.yaml"));
  await Deno.remove(join(fixture.resources, "b.yaml"));
  await fixture.until(() => fixture.problems.length > 0);
  assert.match(fixture.problems[0].reason, /nothing is removed/);
  assert.deepEqual(fixture.ports, { a: 80, b: 80 });
  await fixture.rename("a.yaml", backend("a", 81));
  await fixture.until(() => fixture.ports.a === 81 && fixture.problems.length === 0);
});

Deno.test("a folder that was removed and made again is read, and followed", async () => {
  await using fixture = await Fixture.open({ "a.yaml": backend("a") });
  await Deno.remove(fixture.resources, { recursive: true });
  await fixture.until(() => fixture.problems.length > 0);
  assert.deepEqual(fixture.ports, { a: 80 });
  await Deno.mkdir(fixture.resources);
  await fixture.rename("a.yaml", backend("a", 81));
  await fixture.until(() => fixture.ports.a === 81 && fixture.problems.length === 0);
  await fixture.rename("a.yaml", backend("a", 82));
  await fixture.until(() => fixture.ports.a === 82);
});

Deno.test("FileSource reports two documents for one object; the first file counts", async () => {
  await using fixture = await Fixture.open({
    "1.yaml": backend("a", 1),
    "2.yaml": backend("a", 2),
  });
  assert.deepEqual(fixture.ports, { a: 1 });
  assert.match(fixture.problems[0].reason, /already defined at 1\.yaml:1/);
  await fixture.rename("1.yaml", backend("other", 3));
  await fixture.until(() => fixture.ports.a === 2);
  assert.deepEqual(fixture.problems, []);
});

Deno.test("FileSource serves the last good version after a restart beside a bad file", async () => {
  await using fixture = await Fixture.open({ "a.yaml": backend("a", 7), "b.yaml": backend("b") });
  await fixture.rename("a.yaml", backend("a", 7).replace("port: 7", "port: x"));
  await fixture.until(() => fixture.problems.length > 0);
  assert.equal(fixture.ports.a, 7);
  await fixture.source.stop();
  fixture.objects.clear();
  await fixture.start();
  assert.deepEqual(fixture.ports, { a: 7, b: 80 });
  assert.equal(fixture.problems[0].lastGoodServing, true);
  // A file that is not even YAML any more keeps its objects, too.
  await fixture.rename("b.yaml", "a: [");
  await fixture.until(() => fixture.problems.length > 1);
  await fixture.source.stop();
  fixture.objects.clear();
  await fixture.start();
  assert.deepEqual(fixture.ports, { a: 7, b: 80 });
});

Deno.test("bug: a file that was just written is part of the first complete look", async () => {
  await using fixture = await Fixture.open({});
  assert.equal(fixture.steps, 0, "an empty folder is not a configuration");
  await fixture.write("a.yaml", backend("a"));
  await fixture.until(() => fixture.steps > 0);
  assert.deepEqual(fixture.ports, { a: 80 });
});

Deno.test("a source with a policy whose target cannot be told is not synced, and publishes nothing new", async () => {
  const policy = "kind: ProxyPolicy\nmetadata: { name: p }\nspec: [\n";
  await using fixture = await Fixture.open({ "a.yaml": backend("a"), "p.yaml": policy });
  assert.deepEqual([fixture.source.synced, fixture.steps], [false, 0]);
  await fixture.rename("p.yaml", backend("p"));
  await fixture.until(() => fixture.source.synced);
  assert.deepEqual(fixture.ports, { a: 80, p: 80 });
  await fixture.rename("p.yaml", policy);
  await fixture.until(() => fixture.problems.length > 0);
  await fixture.rename("a.yaml", backend("a", 81));
  await fixture.rename("b.yaml", backend("b", 82));
  assert.deepEqual([fixture.source.synced, fixture.ports], [false, { a: 80, p: 80 }]);
  await fixture.rename("p.yaml", "# nothing\n");
  await fixture.until(() => fixture.ports.p === undefined && fixture.ports.b === 82);
  assert.deepEqual(fixture.ports, { a: 81, b: 82 });
});
