/** Names of policies by level, the widest first. Each array stays the same while what names them does. */
export type PolicyLevels = readonly (readonly string[])[];

/** Shared by all that name no policies, so that looking costs one comparison. */
export const NO_POLICIES: PolicyLevels = [];

/** Levels without those that name nothing. */
export function policyLevels(...levels: (readonly string[])[]): PolicyLevels {
  const named = levels.filter(({ length }) => length > 0);
  return named.length === 0 ? NO_POLICIES : named;
}
