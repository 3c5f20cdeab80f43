/** Rules of Landlock (linux/landlock.h), as bytes. */

/** Versions of Landlock's interface, with the rights that each adds. */
const SINCE = { refer: 2, truncate: 3, ioctlDevice: 5, scopes: 6, allThreads: 8, resolveUnix: 9 };

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
  /** Moves between folders. */
  refer: 1n << 13n,
  truncate: 1n << 14n,
  /** Requests of ioctl(2) to devices that are opened from now on. */
  ioctlDevice: 1n << 15n,
  /** Connecting to unix sockets by path, where they were not made under the same restrictions. */
  resolveUnix: 1n << 16n,
} as const;

/** LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and LANDLOCK_SCOPE_SIGNAL: only between threads under the same restrictions. */
const SCOPES = 0b11n;

/** LANDLOCK_RESTRICT_SELF_TSYNC. */
const ALL_THREADS = 1n << 3n;

const READ = ACCESS.readFile | ACCESS.readFolder;
const WRITE = ACCESS.writeFile | ACCESS.removeFile | ACCESS.makeFile | ACCESS.makeSocket;
/** Of a path that is a file, the others make no sense. */
const FILES = ACCESS.execute | ACCESS.writeFile | ACCESS.readFile | ACCESS.truncate;

/** Everything that a version of Landlock can refuse about files. */
function handledBy(version: number): bigint {
  let all = (1n << 13n) - 1n;
  if (version >= SINCE.refer) all |= ACCESS.refer;
  if (version >= SINCE.truncate) all |= ACCESS.truncate;
  if (version >= SINCE.ioctlDevice) all |= ACCESS.ioctlDevice;
  if (version >= SINCE.resolveUnix) all |= ACCESS.resolveUnix;
  return all;
}

/** A path below which something is allowed. */
export interface PathRule {
  readonly path: string;
  readonly isFolder: boolean;
  readonly write: boolean;
}

/**
 * Returns `landlock_ruleset_attr` with everything that the version can deny: all access to files without a rule,
 * abstract unix sockets and signals of processes outside. Ports are left alone, as they change with the configuration.
 */
export function ruleset(version: number): Uint8Array<ArrayBuffer> {
  const scoped = version >= SINCE.scopes;
  const bytes = new Uint8Array(new ArrayBuffer(scoped ? 24 : 8));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, handledBy(version), true);
  if (scoped) view.setBigUint64(16, SCOPES, true);
  return bytes;
}

/**
 * Returns the flags of landlock_restrict_self(2).
 * @param everywhere in all threads of the process, where the version can
 */
export function restrictFlags(version: number, everywhere: boolean): bigint {
  return everywhere && version >= SINCE.allThreads ? ALL_THREADS : 0n;
}

/** Returns `landlock_path_beneath_attr`. @param descriptor of the path */
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
