import { isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { messageOf } from "../../common/errors.ts";
import { announcement } from "../vip/announcement.ts";
import { sendFrame } from "./raw_socket.ts";
import type { InterfaceAddress, System } from "./system.ts";

/** A Linux node: addresses by iproute2, announcements by a raw socket. */
export class LinuxSystem implements System {
  addresses(): InterfaceAddress[] {
    return Deno.networkInterfaces().map(({ name, address }) => ({ interface: name, address }));
  }

  async interfaceFor(address: string): Promise<string> {
    const family = isIPv6(address) ? "IPv6" : "IPv4";
    const parsed = ipaddr.parse(address);
    for (const { name, family: own, cidr } of Deno.networkInterfaces()) {
      if (own !== family || /\/(32|128)$/.test(cidr)) continue;
      const [network, bits] = cidr.split("/");
      if (parsed.match(ipaddr.parse(network), Number(bits))) return name;
    }
    const routes = await ip(
      family === "IPv6" ? ["-6", "route", "show", "default"] : [
        ...["route", "show", "default"],
      ],
    );
    const device = /\bdev (\S+)/.exec(routes)?.[1];
    if (device === undefined) throw new Error("no interface has its network, and no default route");
    return device;
  }

  async addAddress({ address, interface: device }: InterfaceAddress): Promise<void> {
    // Nobody else may have it, and waiting for the kernel to ask would leave the port unbound.
    const flags = isIPv6(address) ? ["nodad"] : [];
    await ip(["address", "replace", host(address), "dev", device, ...flags]);
  }

  async removeAddress({ address, interface: device }: InterfaceAddress): Promise<void> {
    await ip(["address", "delete", host(address), "dev", device]);
  }

  announce({ address, interface: device }: InterfaceAddress): void {
    const mac = Deno.networkInterfaces().find(({ name }) => name === device)?.mac;
    if (mac === undefined || mac === "00:00:00:00:00:00") return;
    sendFrame(device, announcement(mac, address));
  }
}

/** The network of an address alone. */
function host(address: string): string {
  return `${address}/${isIPv6(address) ? 128 : 32}`;
}

/** Runs iproute2. */
async function ip(args: string[]): Promise<string> {
  const text = new TextDecoder();
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("ip", { args }).output();
  } catch (error) {
    throw new Error(`cannot run ip: ${messageOf(error)}`, { cause: error });
  }
  if (!output.success) {
    throw new Error(`ip ${args.join(" ")}: ${text.decode(output.stderr).trim()}`);
  }
  return text.decode(output.stdout);
}
