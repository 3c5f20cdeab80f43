/** Constants of Linux: packet(7), netdevice(7). */
const AF_PACKET = 17;
const SOCK_RAW = 3;
/** sizeof(struct sockaddr_ll) */
const ADDRESS_LENGTH = 20;

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

let library: Deno.DynamicLibrary<typeof SYMBOLS> | null = null;

/**
 * Sends one Ethernet frame by an interface. Needs CAP_NET_RAW.
 * @throws {Error} when the kernel does not let us
 */
export function sendFrame(device: string, frame: Uint8Array<ArrayBuffer>): void {
  library ??= Deno.dlopen("libc.so.6", SYMBOLS);
  const libc = library.symbols;
  const index = libc.if_nametoindex(new TextEncoder().encode(`${device}\0`));
  if (index === 0) throw new Error(`there is no interface ${device}`);
  // Protocol 0: the socket receives nothing.
  const socket = libc.socket(AF_PACKET, SOCK_RAW, 0);
  if (socket < 0) throw new Error("cannot open a raw socket (CAP_NET_RAW)");
  const address = new Uint8Array(ADDRESS_LENGTH);
  const fields = new DataView(address.buffer);
  fields.setUint16(0, AF_PACKET, true);
  fields.setInt32(4, index, true);
  const sent = libc.sendto(socket, frame, BigInt(frame.length), 0, address, ADDRESS_LENGTH);
  libc.close(socket);
  if (Number(sent) !== frame.length) throw new Error(`cannot send a frame by ${device}`);
}
