import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { HttpConnection } from "../support/http_client.ts";
import { startBackend } from "./backend.ts";
import { cpuMicroseconds } from "./cpu.ts";
import { startGateway } from "./gateway.ts";
import type { Pinning } from "./pinning.ts";
import { freePort } from "./ports.ts";
import { progress } from "./print.ts";
import { findProgram } from "./programs.ts";
import { backendYaml, gatewayYaml, hostOf, oneFile, routeYaml } from "./resources.ts";
import { Scene } from "./scene.ts";
import { parseWrk } from "./wrk_report.ts";

/** Tokens that the requests turn through, half of them RS256 and half ES256. */
const TOKENS = 1_000;
const ISSUER = "https://issuer.example.com";
const ORIGIN = "https://pages.example.com";
const CONNECTIONS = 32;

/** A gateway with or without policies in one round. */
export interface PolicyRound {
  /** CPU time of the dataplane per request, in microseconds. */
  readonly plain: number;
  readonly policed: number;
}

export interface PolicyResult {
  readonly rounds: readonly PolicyRound[];
  /** CPU time that a token costs the first time, beyond that of a request, in microseconds. */
  readonly cold: number;
  readonly errors: readonly string[];
}

interface Tokens {
  readonly jwks: string;
  readonly tokens: readonly string[];
}

async function makeTokens(): Promise<Tokens> {
  const keys = [];
  const tokens: string[] = [];
  for (const alg of ["RS256", "ES256"]) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    keys.push({ ...await exportJWK(publicKey), kid: alg, alg, use: "sig" });
    for (let i = 0; i < TOKENS / 2; i++) {
      tokens.push(
        await new SignJWT({ groups: ["users"] }).setProtectedHeader({ alg, kid: alg })
          .setIssuer(ISSUER).setAudience("bench").setSubject(`user-${alg}-${i}`)
          .setExpirationTime("1h").sign(privateKey),
      );
    }
  }
  return { jwks: JSON.stringify({ keys }), tokens };
}

function policiesYaml(jwks: string): string[] {
  const policy = (name: string, settings: string) =>
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata:
  name: ${name}
spec:
  targetRef: { kind: ProxyRoute, name: h0 }
${settings}`;
  return [
    policy("rate", "  type: RateLimit\n  rateLimit: { requestsPerSecond: 1000000 }\n"),
    policy(
      "jwt",
      `  type: JWT\n  jwt: { issuer: "${ISSUER}", audience: [bench], jwks: '${jwks}' }\n`,
    ),
    policy("cors", `  type: CORS\n  cors: { allowOrigins: ["${ORIGIN}"] }\n`),
    policy("ip", "  type: IPAllowList\n  ipList: { cidrs: [127.0.0.0/8, 10.0.0.0/8] }\n"),
  ];
}

function wrkScript(tokens: readonly string[]): string {
  const list = tokens.map((token) => `"${token}"`).join(",\n");
  return `local tokens = { ${list} }
local requests = {}
local at = 0
init = function()
  for i = 1, #tokens do
    wrk.headers["Host"] = "${hostOf(0)}"
    wrk.headers["Origin"] = "${ORIGIN}"
    wrk.headers["Authorization"] = "Bearer " .. tokens[i]
    requests[i] = wrk.format("GET", "/")
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary)
  io.write(string.format("Bytes read: %d\\n", summary.bytes))
end
`;
}

export interface PolicyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly pinning: Pinning;
}

/** The same requests with and without rate limit, JWT, CORS and an IP list, round by round. */
export async function runPolicies(
  { rounds, seconds, pinning }: PolicyOptions,
): Promise<PolicyResult> {
  await using plainScene = new Scene();
  await using scene = new Scene();
  const backend = await startBackend(scene, pinning.load);
  const { jwks, tokens } = await makeTokens();
  const start = async (where: Scene, policies: readonly string[]) => {
    const port = freePort();
    const { dataplane } = await startGateway(where, {
      files: {
        "gateway.yaml": oneFile([
          gatewayYaml(port),
          backendYaml("a", backend.port),
          routeYaml(0, "a"),
          ...policies,
        ]),
      },
      workers: 1,
      core: pinning.proxy,
      besides: pinning.load,
    });
    return { port, pids: [dataplane.pid], scene: where };
  };
  const plain = await start(plainScene, []);
  const policed = await start(scene, policiesYaml(jwks));
  const cold = await coldCost(policed, tokens);
  const script = join(scene.folder, "tokens.lua");
  await Deno.writeTextFile(script, wrkScript(tokens));
  const errors: string[] = [];
  const measure = async ({ port, pids }: typeof plain): Promise<number> => {
    const url = `http://127.0.0.1:${port}/`;
    const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--latency", "-s", script, url];
    const before = cpuMicroseconds(pids);
    const report = parseWrk(
      await scene.run("load", [findProgram("wrk")!, ...args], { core: pinning.load }),
    );
    if (report.errors !== "") errors.push(report.errors);
    return (cpuMicroseconds(pids) - before) / report.done;
  };
  const found: PolicyRound[] = [];
  for (let round = 0; round <= rounds; round++) {
    progress(`policies: ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}`);
    const first = round % 2 === 0 ? plain : policed;
    const one = await measure(first);
    const two = await measure(first === plain ? policed : plain);
    if (round > 0) {
      found.push(first === plain ? { plain: one, policed: two } : { plain: two, policed: one });
    }
    scene.cutLogs();
    plainScene.cutLogs();
  }
  return { rounds: found, cold, errors };
}

/** What a token costs the first time beyond the second. */
async function coldCost(
  { port, pids }: { port: number; pids: readonly number[] },
  tokens: readonly string[],
): Promise<number> {
  using connection = await HttpConnection.open(port);
  const pass = async () => {
    const before = cpuMicroseconds(pids);
    for (const token of tokens) {
      const fields = { host: hostOf(0), authorization: `Bearer ${token}` };
      const { status } = await connection.request("GET", "/", fields);
      if (status !== 200) throw new Error(`a token was answered ${status}`);
    }
    return cpuMicroseconds(pids) - before;
  };
  const first = await pass();
  const second = await pass();
  return (first - second) / tokens.length;
}
