import type { FlagTable, FlagValues } from "../common/flags.ts";
import { LOG_LEVELS } from "../common/log.ts";

export const CONTROLLER_FLAGS = {
  "resources": { type: "string", default: "resources", help: "folder of YAML files to serve" },
  "kubeconfig": {
    type: "string",
    default: "",
    help: "kubeconfig of the cluster to serve, instead of a folder",
  },
  "in-cluster": {
    type: "boolean",
    default: false,
    help: "serve the cluster that this pod runs in, instead of a folder",
  },
  "state-dir": {
    type: "string",
    default: ".novaedge/controller",
    help: "folder for the last good version of each resource",
  },
  "grpc-port": {
    type: "integer",
    default: 9090,
    range: [0, 65_535],
    help: "port for agents, on loopback",
  },
  "grpc-socket": {
    type: "string",
    default: "",
    help: "unix socket for agents, instead of --grpc-port",
  },
  "metrics-port": {
    type: "integer",
    default: 8080,
    range: [0, 65_535],
    help: "metrics, 0 for none",
  },
  "health-port": { type: "integer", default: 8081, range: [0, 65_535], help: "probes, 0 for none" },
  "log-level": { type: "string", default: "info", choices: LOG_LEVELS, help: "least level logged" },
  "leader-election": {
    type: "boolean",
    default: false,
    help: "elect one active controller (with Kubernetes as source; a folder has one reader)",
  },
  "namespace": {
    type: "string",
    default: "novaedge-system",
    help: "namespace of this controller: its Lease, its authority, the agents' ServiceAccount",
  },
  "advertise-address": {
    type: "string",
    default: "",
    help: "host:port where agents reach this controller when it leads; loopback when empty",
  },
  "agent-auth": {
    type: "string",
    default: "none",
    choices: ["none", "token"],
    help:
      "who agents must show to be: nobody, on loopback or a socket; or a ServiceAccount, by TLS",
  },
  "agent-account": {
    type: "string",
    default: "novaedge-agent",
    help: "ServiceAccount of the agents, in --namespace",
  },
  "external-name-networks": {
    type: "string",
    default: "",
    help:
      "networks (CIDR, commas between them) that Services of type ExternalName may lead to; they are not served when empty",
  },
  "tls-cert-file": {
    type: "string",
    default: "",
    help: "certificate shown to agents, PEM; an authority of our own is kept when empty",
  },
  "tls-key-file": { type: "string", default: "", help: "its key, PEM" },
} as const satisfies FlagTable;

export type ControllerFlags = FlagValues<typeof CONTROLLER_FLAGS>;
