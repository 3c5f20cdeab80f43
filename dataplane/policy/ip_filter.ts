import { isIP } from "node:net";
import { CidrSet } from "../../common/cidr.ts";
import type { IpList as IpListMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { refusal } from "../observe/refusal.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";

/** Networks, and how a client's address is told. */
export interface IpList {
  readonly deny: boolean;
  readonly covers: (request: PolicyRequest) => boolean;
}

const REFUSED = refusal(403, "ip_refused");

/** @throws {CidrError} for a network that cannot be read */
export function ipList({ deny, cidrs, sourceHeader }: IpListMessage): IpList {
  const networks = new CidrSet(cidrs);
  return {
    deny,
    covers: (request) => {
      const address = addressOf(request, sourceHeader);
      // Nobody passes whose address cannot be told.
      return isIP(address) === 0 ? deny : networks.has(address);
    },
  };
}

function addressOf(request: PolicyRequest, sourceHeader: string): string {
  if (sourceHeader === "" || !request.peerTrusted()) return request.clientAddress();
  return request.header(sourceHeader)?.trim() ?? request.clientAddress();
}

/** Lists of several levels: denied by any is denied; every level with allow lists must allow. */
export class IpFilter implements RequestCheck {
  readonly #denied: readonly IpList[];
  readonly #allowed: readonly (readonly IpList[])[];

  /** @param levels lists of each level; those of one are united */
  constructor(levels: readonly (readonly IpList[])[]) {
    this.#denied = levels.flat().filter(({ deny }) => deny);
    this.#allowed = levels.map((lists) => lists.filter(({ deny }) => !deny))
      .filter((lists) => lists.length > 0);
  }

  check(request: PolicyRequest): Verdict {
    for (const list of this.#denied) if (list.covers(request)) return REFUSED;
    for (const lists of this.#allowed) {
      if (!lists.some((list) => list.covers(request))) return REFUSED;
    }
    return null;
  }
}
