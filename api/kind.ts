import type { TSchema } from "typebox";

/** A field that the schema knows but nothing serves yet. */
export interface UnservedField {
  /** Path below the object, `[]` for list items and `{}` for map values: "spec.rules[].filters". */
  readonly path: string;
  /** What must not be served openly without it; null for a field that only adds something. */
  readonly restricts: "listener" | "route" | "rule" | "backend" | "policy" | null;
}

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
}

/** A rule that the API server checks itself (CEL). */
export interface Rule {
  /** Path below the object: "spec", or "spec.listeners[]" for each of a list. */
  readonly at: string;
  readonly rule: string;
  readonly message: string;
}

/** One kind: its schema is the source of the type, the validation and the CRD. */
export interface KindDefinition<T extends TSchema = TSchema> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly schema: T;
  /** Status schema, for the CRD only. */
  readonly status: TSchema | null;
  readonly columns: readonly PrinterColumn[];
  readonly rules: readonly Rule[];
  readonly unserved: readonly UnservedField[];
  /** Whether its objects are in no namespace. */
  readonly clusterScoped?: boolean;
  /** Whether unknown fields are errors: our own kinds only. */
  readonly strict: boolean;
}

/** Shorthand for lists of unserved fields. */
export function unserved(
  restricts: UnservedField["restricts"],
  ...paths: string[]
): UnservedField[] {
  return paths.map((path) => ({ path, restricts }));
}
