/** Each right that a dataplane gives up is tried for by a process that has given it up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { nativeProblem } from "../native_problem.ts";

const problem = nativeProblem();

interface Tried {
  readonly landlock: number;
  /** Outcome by what was tried: "ok", or the number of the error. */
  readonly outcomes: Readonly<Record<string, string>>;
}

const EPERM = "1";
const EACCES = "13";
const EAFNOSUPPORT = "97";

Deno.test({
  name: `what a confined dataplane must not do it cannot${problem === "" ? "" : ` (${problem})`}`,
  ignore: problem !== "",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "novaedge-confine-" });
    try {
      for (const name of ["run", "code", "other"]) await Deno.mkdir(join(folder, name));
      await Deno.writeTextFile(join(folder, "code", "file"), "code");
      await Deno.writeTextFile(join(folder, "other", "file"), "secret");
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", join(import.meta.dirname!, "testdata/confined.ts"), folder],
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      const { landlock, outcomes } = JSON.parse(new TextDecoder().decode(stdout)) as Tried;
      const refused = [
        ..."execve execveat fork vfork clone ptrace process_vm_readv process_vm_writev".split(" "),
        ..."mount umount2 pivot_root chroot setns unshare open_tree fsopen move_mount".split(" "),
        ..."init_module finit_module delete_module kexec_load bpf perf_event_open".split(" "),
        ..."userfaultfd io_uring_setup add_key request_key keyctl personality".split(" "),
        ..."settimeofday clock_settime sethostname setuid setgid capset reboot".split(" "),
      ];
      for (const call of refused) {
        if (outcomes[call] !== undefined) assert.equal(outcomes[call], EPERM, call);
      }
      assert.ok(refused.filter((call) => outcomes[call] !== undefined).length > 30);
      assert.equal(outcomes["execve in a thread that was there"], EPERM);
      assert.equal(outcomes["execve in a thread that came later"], EPERM);
      for (const socket of ["packet", "raw", "vsock", "alg"]) {
        assert.equal(outcomes[`socket ${socket}`], EAFNOSUPPORT, socket);
      }
      for (const socket of ["stream", "datagram", "unix"]) {
        assert.equal(outcomes[`socket ${socket}`], "ok", socket);
      }
      assert.equal(outcomes["new thread"], "ok");
      assert.equal(outcomes["no new privileges"], "1");
      // Files are the kernel's to protect from version 1 of Landlock on, which not every kernel has.
      if (landlock === 0) return;
      for (const where of ["this thread", "a thread that came later"]) {
        assert.equal(outcomes[`read code in ${where}`], "ok");
        assert.equal(outcomes[`write run in ${where}`], "ok");
        assert.equal(outcomes[`read other in ${where}`], EACCES);
        assert.equal(outcomes[`write code in ${where}`], EACCES);
        assert.equal(outcomes[`write other in ${where}`], EACCES);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
