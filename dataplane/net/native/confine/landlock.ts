/** Rules of Landlock (linux/landlock.h), as bytes. */

/** What may be done to files and folders. */
const ACCESS = {
  execute: 1n << 0n,
  writeFile: 1n << 1n,
  readFile: 1n << 2n,
  readFolder: 1n << 3n,
  removeFolder: 1n << 4n,
  removeFile: 1n << 5n,
  makeDevice: 1n << 6n,
  makeFolder: 1n << 7n,
  makeFile: 1n << 8n,
  makeSocket: 1n << 9n,
  makeFifo: 1n << 10n,
  makeBlockDevice: 1n << 11n,
  makeLink: 1n << 12n,
  /** Moves between folders, from version 2 on. */
  refer: 1n << 13n,
  /** From version 3 on. */
  truncate: 1n << 14n,
} as const;

const READ = ACCESS.readFile | ACCESS.readFolder;
const WRITE = ACCESS.writeFile | ACCESS.removeFile | ACCESS.makeFile | ACCESS.makeSocket;
/** Of a path that is a file, the others make no sense. */
const FILES = ACCESS.execute | ACCESS.writeFile | ACCESS.readFile | ACCESS.truncate;

/** Everything that a version of Landlock can refuse about files. */
function handledBy(version: number): bigint {
  let all = (1n << 13n) - 1n;
  if (version >= 2) all |= ACCESS.refer;
  if (version >= 3) all |= ACCESS.truncate;
  return all;
}

/** A path below which something is allowed. */
export interface PathRule {
  readonly path: string;
  readonly isFolder: boolean;
  readonly write: boolean;
}

/** `landlock_ruleset_attr`, as far as every version has it: whatever is not allowed about files is refused. */
export function ruleset(version: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(8));
  new DataView(bytes.buffer).setBigUint64(0, handledBy(version), true);
  return bytes;
}

/** `landlock_path_beneath_attr`. @param descriptor of the path */
export function pathBeneath(
  { isFolder, write }: PathRule,
  descriptor: number,
  version: number,
): Uint8Array<ArrayBuffer> {
  let allowed: bigint = READ;
  if (write) allowed |= WRITE | (handledBy(version) & ACCESS.truncate);
  if (!isFolder) allowed &= FILES;
  const bytes = new Uint8Array(new ArrayBuffer(12));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, allowed, true);
  view.setInt32(8, descriptor, true);
  return bytes;
}
