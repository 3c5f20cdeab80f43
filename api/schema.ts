import { type TSchema, Type } from "typebox";

/** Pieces that the schemas of several kinds share. */

/** Name of a Kubernetes object (RFC 1123 subdomain). */
export const NAME_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/** Go's notation for durations: "300ms", "1m30s". */
const DURATION_PATTERN = "^(0|([0-9]+(\\.[0-9]+)?(ms|s|m|h))+)$";
const SIZE_PATTERN = "^[0-9]+(\\.[0-9]+)?([KMG]i?B?|B)?$";
const LABELS = "[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*";
/** Exact name, or a name with "*." in front. */
const HOSTNAME_PATTERN = `^(\\*\\.)?${LABELS}$`;
/** The same, or a name with ".*" behind. */
const ROUTE_HOSTNAME_PATTERN = `^((\\*\\.)?${LABELS}|${LABELS}\\.\\*)$`;

/** A closed object: unknown fields are errors. */
export function closed<T extends Record<string, TSchema>>(
  properties: T,
  options: { description?: string } = {},
) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** One of a few strings. */
export function choice<const T extends readonly string[]>(
  values: T,
  options: { default?: T[number]; description?: string } = {},
) {
  return Type.Unsafe<T[number]>({ type: "string", enum: [...values], ...options });
}

export const optional = Type.Optional;

export const name = (options: { description?: string } = {}) =>
  Type.String({ minLength: 1, maxLength: 253, pattern: NAME_PATTERN, ...options });

export const namespace = (options: { description?: string } = {}) =>
  Type.String({ minLength: 1, maxLength: 63, pattern: LABEL_PATTERN, ...options });

export const duration = (options: { default?: string; description?: string } = {}) =>
  Type.String({ pattern: DURATION_PATTERN, ...options });

export const size = (options: { default?: string; description?: string } = {}) =>
  Type.String({ pattern: SIZE_PATTERN, ...options });

export const hostname = () => Type.String({ maxLength: 253, pattern: HOSTNAME_PATTERN });

/** Hostname of a route: "www.example.com", "*.example.com" or "api.*". */
export const routeHostname = () => Type.String({ maxLength: 253, pattern: ROUTE_HOSTNAME_PATTERN });

export const port = (options: { description?: string } = {}) =>
  Type.Integer({ minimum: 1, maximum: 65535, ...options });

export const integer = (
  minimum: number,
  maximum: number,
  options: { default?: number; description?: string } = {},
) => Type.Integer({ minimum, maximum, ...options });

export const text = (
  options: { default?: string; minLength?: number; description?: string } = {},
) => Type.String(options);

export const bool = (options: { default?: boolean; description?: string } = {}) =>
  Type.Boolean(options);

export const list = <T extends TSchema>(
  items: T,
  options: { minItems?: number; maxItems?: number; default?: string[]; description?: string } = {},
) => Type.Array(items, options);

/** A list whose items have names of their own, as the API server checks. */
export const namedList = <T extends TSchema>(
  items: T,
  options: { minItems?: number; maxItems?: number } = {},
) =>
  Type.Array(items, {
    ...options,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
  });

/** {name, namespace}: a Secret. */
export const secretReference = () => closed({ name: name(), namespace: optional(namespace()) });

/** Identity of an object as people write it; everything else of metadata is passed over. */
export const metadata = () =>
  Type.Object({
    name: name(),
    namespace: optional(namespace()),
    labels: optional(Type.Record(Type.String(), Type.String())),
    annotations: optional(Type.Record(Type.String(), Type.String())),
    creationTimestamp: optional(Type.String()),
  });

const UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Longest time that a timer takes: some 24 days, which is as good as for ever. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds of a duration that the schema accepted, some 24 days at most. */
export function milliseconds(duration: string): number {
  let total = 0;
  for (const [, number, unit] of duration.matchAll(/([0-9.]+)(ms|s|m|h)/g)) {
    total += Number(number) * UNIT[unit];
  }
  return Math.min(LONGEST, Math.round(total));
}

const SIZE_UNIT: Readonly<Record<string, number>> = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/**
 * Bytes of a size that the schema accepted: "10M" is ten million, "10Mi" ten times 1,048,576; what no number
 * counts exactly is as good as the largest that one does.
 */
export function bytesOf(size: string): number {
  const [, number, unit] = /^([0-9.]+)([KMG]i?)?/.exec(size)!;
  return Math.min(Number.MAX_SAFE_INTEGER, Math.round(Number(number) * SIZE_UNIT[unit ?? ""]));
}
