import { Buffer } from "node:buffer";
import { sha256 } from "../../common/hash.ts";
import { type ApiClient, ApiError } from "../source/kubernetes/api_client.ts";

/** Whom a token belongs to. */
export interface AgentIdentity {
  readonly node: string;
  readonly pod: string;
  /** When the token ends, in milliseconds since 1970. */
  readonly expires: number;
}

/** A token that nobody is served for. */
export class IdentityError extends Error {
  readonly code = "IDENTITY";
}

/** The audience that tokens of agents are for: they open nothing else, and nothing else opens this. */
export const AUDIENCE = "novaedge-controller";

const EXTRA = "authentication.kubernetes.io/";
/** Identities remembered by token at most. */
const REMEMBERED = 10_000;

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly user?: {
      readonly username?: string;
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
    readonly error?: string;
  };
}

export interface ReviewerOptions {
  readonly client: Pick<ApiClient, "request">;
  /** Namespace and name of the agents' ServiceAccount. */
  readonly namespace: string;
  readonly account: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Asks the API server whose a token is. What it said counts while it is away, until the token ends. */
export class TokenReviewer {
  readonly #options: ReviewerOptions;
  readonly #known = new Map<string, AgentIdentity>();

  constructor(options: ReviewerOptions) {
    this.#options = options;
  }

  /** @throws {IdentityError} with why the token is not good */
  async review(token: string): Promise<AgentIdentity> {
    if (token === "") throw new IdentityError("there is no token");
    const { client, now } = this.#options;
    const print = sha256(token);
    let answer: TokenReview;
    try {
      answer = await client.request<TokenReview>("/apis/authentication.k8s.io/v1/tokenreviews", {
        method: "POST",
        body: {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenReview",
          spec: { token, audiences: [AUDIENCE] },
        },
      });
    } catch (error) {
      const known = this.#known.get(print);
      const away = error instanceof ApiError && (error.status === 0 || error.status >= 500);
      if (away && known !== undefined && known.expires > now()) return known;
      throw new IdentityError(`the token cannot be reviewed: ${(error as Error).message}`);
    }
    this.#known.delete(print);
    const identity = await this.#identityOf(token, answer);
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(print, identity);
    return identity;
  }

  async #identityOf(token: string, { status = {} }: TokenReview): Promise<AgentIdentity> {
    const { namespace, account, now } = this.#options;
    if (status.authenticated !== true) throw new IdentityError("the token is not valid");
    if (status.audiences?.includes(AUDIENCE) !== true) {
      throw new IdentityError("the token is for another audience");
    }
    const { username = "", extra = {} } = status.user ?? {};
    if (username !== `system:serviceaccount:${namespace}:${account}`) {
      throw new IdentityError(`the token is that of ${username}`);
    }
    const [pod = ""] = extra[`${EXTRA}pod-name`] ?? [];
    const [uid = ""] = extra[`${EXTRA}pod-uid`] ?? [];
    if (pod === "") throw new IdentityError("the token is not bound to a pod");
    const [node = await this.#nodeOf(pod, uid)] = extra[`${EXTRA}node-name`] ?? [];
    const expires = expiryOf(token);
    if (expires <= now()) throw new IdentityError("the token has expired");
    return { node, pod, expires };
  }

  /** The node of a pod, where the token does not tell (Kubernetes before 1.32). */
  async #nodeOf(pod: string, uid: string): Promise<string> {
    const { client, namespace } = this.#options;
    const object = await client.request(`/api/v1/namespaces/${namespace}/pods/${pod}`)
      .catch((error) => {
        throw new IdentityError(`the token's pod ${pod} cannot be read: ${error.message}`);
      });
    const { nodeName = "" } = (object.spec ?? {}) as { nodeName?: string };
    if (object.metadata.uid !== uid || nodeName === "") {
      throw new IdentityError(`the token's pod ${pod} is on no node`);
    }
    return nodeName;
  }
}

/** When a token that was found good ends, in milliseconds since 1970. */
function expiryOf(token: string): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return typeof claims.exp === "number" ? claims.exp * 1_000 : 0;
  } catch {
    return 0;
  }
}
