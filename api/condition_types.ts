/**
 * The condition types that this product writes, on all kinds. Conditions of other types belong to other
 * controllers: a status write keeps them (Gateway API, GatewayPreserveForeignConditions).
 */
export const CONDITION_TYPES = [
  "Accepted",
  "Certificate",
  "Conflicted",
  "InsecureFrontendValidationMode",
  "OverlappingTLSConfig",
  "PartiallyInvalid",
  "Programmed",
  "ResolvedRefs",
  "SupportedVersion",
  "UnsupportedField",
] as const;

/** A condition type that this product writes. */
export type ConditionType = typeof CONDITION_TYPES[number];

const OWN: ReadonlySet<string> = new Set(CONDITION_TYPES);

/** Reports whether this product writes conditions of a type. */
export function isOwnCondition(type: string): type is ConditionType {
  return OWN.has(type);
}
