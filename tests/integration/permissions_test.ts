import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import {
  agentPermissions,
  controllerPermissions,
  dataplanePermissions,
  demoPermissions,
  ENV,
  type PermissionSet,
} from "../../common/permissions.ts";
import {
  CONTROLLER_V8_FLAGS,
  PATTERN_FLAGS,
  V8_ARGUMENT,
  YOUNG_FLAG,
} from "../../common/v8_flags.ts";

const ROOT = resolve(import.meta.dirname!, "../..");
const folders = {
  code: ROOT,
  run: "/tmp/edge/run",
  state: "/tmp/edge/state",
  resources: "/tmp/edge/resources",
};

const SETS: Readonly<Record<string, PermissionSet>> = {
  controller: controllerPermissions(folders),
  agent: agentPermissions(folders, "127.0.0.1:9901"),
  dataplane: dataplanePermissions(folders, false),
  "dataplane on the native transport": dataplanePermissions(folders, true),
  demo: demoPermissions([9801]),
};

type Attempt = readonly [string, Deno.PermissionDescriptor];

/** What each program must not be able to do. */
const DENIED: Readonly<Record<string, readonly Attempt[]>> = {
  controller: [
    ["connect to the network", { name: "net", host: "192.0.2.1:80" }],
    ["write its resources", { name: "write", path: "/tmp/edge/resources/x.yaml" }],
    ["read elsewhere", { name: "read", path: "/etc/shadow" }],
    ["run a command", { name: "run", command: "sh" }],
    ["call native code", { name: "ffi", path: "/usr/lib/libc.so.6" }],
    ["read other variables", { name: "env", variable: "AWS_SECRET_ACCESS_KEY" }],
  ],
  agent: [
    ["connect to the network", { name: "net", host: "192.0.2.1:80" }],
    ["read resources", { name: "read", path: "/tmp/edge/resources" }],
    ["write outside its state", { name: "write", path: "/etc/passwd" }],
    ["run a command", { name: "run", command: "ip" }],
    ["call native code", { name: "ffi", path: "/usr/lib/libc.so.6" }],
  ],
  dataplane: [
    ["read the agent's state", { name: "read", path: "/tmp/edge/state" }],
    ["read resources", { name: "read", path: "/tmp/edge/resources" }],
    ["write its own code", { name: "write", path: join(ROOT, "deno.json") }],
    ["run a command", { name: "run", command: "sh" }],
    ["call native code", { name: "ffi", path: "/usr/lib/libc.so.6" }],
    ["read other variables", { name: "env", variable: "AWS_SECRET_ACCESS_KEY" }],
  ],
  "dataplane on the native transport": [
    ["read the agent's state", { name: "read", path: "/tmp/edge/state" }],
    ["write its own code", { name: "write", path: join(ROOT, "deno.json") }],
    ["run a command", { name: "run", command: "sh" }],
    ["read other variables", { name: "env", variable: "AWS_SECRET_ACCESS_KEY" }],
  ],
  demo: [
    ["connect to the network", { name: "net", host: "192.0.2.1:80" }],
    ["read files", { name: "read", path: "/etc/passwd" }],
    ["write files", { name: "write", path: "/tmp/x" }],
    ["read variables", { name: "env", variable: "HOME" }],
    ["run a command", { name: "run", command: "sh" }],
  ],
};

/** State of permissions, asked from inside a worker that has the set. */
function ask(permissions: PermissionSet, attempts: readonly Attempt[]): Promise<string[]> {
  const code = `self.onmessage = async ({ data }) => self.postMessage(
    await Promise.all(data.map(async (p) => (await Deno.permissions.query(p)).state)));`;
  const worker = new Worker(
    URL.createObjectURL(new Blob([code], { type: "application/javascript" })),
    {
      type: "module",
      deno: { permissions },
    } as WorkerOptions,
  );
  return new Promise((done, failed) => {
    worker.onmessage = ({ data }) => {
      worker.terminate();
      done(data);
    };
    worker.onerror = (event) => failed(new Error(event.message));
    worker.postMessage(attempts.map(([, descriptor]) => descriptor));
  });
}

for (const [program, attempts] of Object.entries(DENIED)) {
  Deno.test(`${program} may not do what is not its job`, async () => {
    const states = await ask(SETS[program], attempts);
    attempts.forEach(([what], i) =>
      assert.notEqual(states[i], "granted", `${program} can ${what}`)
    );
  });
}

Deno.test("each program has what it needs and no more kinds of permission", async () => {
  assert.equal((await ask(SETS.dataplane, [["", { name: "net" }]]))[0], "granted");
  assert.equal(
    (await ask(SETS.agent, [["", { name: "write", path: "/tmp/edge/state/x" }]]))[0],
    "granted",
  );
  assert.equal(
    (await ask(SETS.controller, [["", { name: "read", path: "/tmp/edge/resources/x" }]]))[0],
    "granted",
  );
  for (const [name, set] of Object.entries(SETS)) {
    const ffi = name.includes("native");
    assert.deepEqual([set.run, set.ffi, set.import], [false, ffi, false], name);
  }
});

Deno.test("the tasks in deno.json grant the variables of the permission table", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const native = ["start:native", "dataplane:native"];
  for (const name of ["start", "controller", "agent", "dataplane", ...native]) {
    const granted = /--allow-env=(\S+)/.exec(tasks[name].command)![1].split(",");
    assert.ok(ENV.every((variable) => granted.includes(variable)), name);
    // Addresses on interfaces and raw frames are the agent's, in a program of its own only.
    const rest = name === "agent"
      ? tasks[name].command.replace(" --allow-run=ip --allow-ffi ", " ")
      : native.includes(name)
      ? tasks[name].command.replace(" --allow-ffi ", " ")
      : tasks[name].command;
    assert.doesNotMatch(rest, /--allow-(run|ffi|all)|-A/);
  }
});

Deno.test("the tasks set the V8 flags of the table", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  for (const name of ["start", "dataplane", "start:native", "dataplane:native"]) {
    assert.ok(tasks[name].command.includes(V8_ARGUMENT), name);
  }
  for (
    const [name, flags] of [
      ["controller", CONTROLLER_V8_FLAGS],
      ["agent", [YOUNG_FLAG]],
      ["ctl", PATTERN_FLAGS],
    ] as const
  ) {
    assert.ok(tasks[name].command.includes(`--v8-flags=${flags.join(",")} `), name);
  }
});
