/** Clock ticks per second in which /proc counts CPU time. */
const TICKS = await ticksPerSecond();

async function ticksPerSecond(): Promise<number> {
  try {
    const { stdout } = await new Deno.Command("getconf", { args: ["CLK_TCK"] }).output();
    return Number(new TextDecoder().decode(stdout)) || 100;
  } catch {
    return 100; // What Linux has used for /proc on every architecture since 2.6.
  }
}

/**
 * CPU time of the processes so far, in microseconds: user and system, all threads, those that ended
 * included. Counted by the kernel in ticks of 10 ms, so a round should last seconds.
 */
export function cpuMicroseconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The command name may hold blanks and parentheses; the fields begin after the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 1e6 / TICKS;
}

/** Resident memory of the processes, in MB (10^6 bytes). */
export function residentMegabytes(pids: readonly number[]): number {
  let kibibytes = 0;
  for (const pid of pids) {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    kibibytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  }
  return kibibytes * 1024 / 1e6;
}

/** Processes that this one started. */
export function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
  return text === "" ? [] : text.split(" ").map(Number);
}
