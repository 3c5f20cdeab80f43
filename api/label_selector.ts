import { Type } from "typebox";
import { choice, list, optional, text } from "./schema.ts";

/** A label selector of Kubernetes. */
export const labelSelector = () =>
  Type.Object({
    matchLabels: optional(Type.Record(Type.String(), Type.String())),
    matchExpressions: optional(list(Type.Object({
      key: text(),
      operator: choice(["In", "NotIn", "Exists", "DoesNotExist"]),
      values: optional(list(text())),
    }))),
  });
