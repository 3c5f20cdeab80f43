import { isDeepStrictEqual } from "node:util";
import { Protocol } from "../proto/gen/novaedge/v1/config.ts";
import type { Named, ShownConfig, ShownListener } from "./running.ts";

/** One difference between a gateway that runs and one with other files. */
export interface Difference {
  readonly change: "add" | "remove" | "change" | "open" | "close";
  /** "listener", "object", or what a gateway makes of objects: "gateway", "route", "backend", "policy", "certificate". */
  readonly what: string;
  readonly name: string;
  /** First place that differs, and how; "" where all of it does. */
  readonly detail: string;
}

const RESOURCES = [
  ["gateways", "gateway"],
  ["routes", "route"],
  ["backends", "backend"],
  ["policies", "policy"],
] as const;
/** Characters of a value in a detail. */
const LONGEST = 60;

/** What would change if `next` ran instead of `now`: listeners, then objects, then what is made of them. */
export function differences(now: ShownConfig, next: ShownConfig): Difference[] {
  const found: Difference[] = [];
  const add = (change: Difference["change"], what: string, name: string, detail = "") =>
    void found.push({ change, what, name, detail });
  const [open, wanted] = [listenersOf(now), listenersOf(next)];
  for (const [key, name] of wanted) if (!open.has(key)) add("open", "listener", name);
  for (const [key, name] of open) if (!wanted.has(key)) add("close", "listener", name);
  const objects = (config: ShownConfig) =>
    new Set(config.objects.map(({ kind, namespace, name }) => `${kind} ${label(namespace, name)}`));
  const [old, come] = [objects(now), objects(next)];
  for (const name of come) if (!old.has(name)) add("add", "object", name);
  for (const name of old) if (!come.has(name)) add("remove", "object", name);
  for (const [list, what] of RESOURCES) {
    const [before, behind] = [grouped(now[list]), grouped(next[list])];
    for (const [name, ours] of behind) {
      const theirs = before.get(name);
      if (theirs === undefined || isDeepStrictEqual(theirs, ours)) continue;
      add("change", what, name, firstDifference(theirs, ours, ""));
    }
  }
  return found;
}

function label(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** Listeners by all that makes them differ for a client, with what people call them. */
function listenersOf({ gateways }: ShownConfig): Map<string, string> {
  const found = new Map<string, string>();
  for (const { namespace, name, listeners } of gateways) {
    for (const listener of listeners) {
      const text = `${label(namespace, name)}/${listener.name}: ${placeOf(listener)}`;
      found.set(text, text);
    }
  }
  return found;
}

function placeOf({ port, protocol, bindAddresses }: ShownListener): string {
  const addresses = bindAddresses.length === 0 ? "all addresses" : bindAddresses.join(", ");
  return `${
    protocol === Protocol.PROTOCOL_HTTPS ? "HTTPS" : "HTTP"
  } on port ${port} of ${addresses}`;
}

/** An object may give several. */
function grouped<T extends Named>(list: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const name = label(one.namespace, one.name);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [one]);
    else group.push(one);
  }
  return groups;
}

/** The first place at which two values differ, and how. */
function firstDifference(a: unknown, b: unknown, path: string): string {
  const deep = [a, b].every((value) => typeof value === "object" && value !== null);
  if (!deep) return `${path}: ${shown(a)} -> ${shown(b)}`;
  const [left, right] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    if (isDeepStrictEqual(left[key], right[key])) continue;
    const step = Array.isArray(a) ? `[${key}]` : path === "" ? key : `.${key}`;
    return firstDifference(left[key], right[key], `${path}${step}`);
  }
  return path;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
