import { Kind } from "../common/delta/resources.ts";
import { messageOf } from "../common/errors.ts";
import { redactText } from "../common/redact.ts";
import { FolderState } from "../controller/source/files/folder_state.ts";
import { failuresOf, failureText, remarksOf } from "../controller/translate/failures.ts";
import { type OfflineOptions, offlineTranslator } from "./offline_translator.ts";
import { compileRoute } from "../dataplane/router/compile.ts";
import { Route } from "../proto/gen/novaedge/v1/config.ts";
import { Outcome } from "../proto/gen/novaedge/v1/distribution.ts";
import type { NamedFile } from "./files.ts";

/** One thing that a check found. */
export interface Finding {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** First line of the document, or that of the field. */
  readonly line: number;
  /** Place in the document, "" for all of it. */
  readonly path: string;
  /** "Kind/namespace/name", "" when it cannot be told. */
  readonly object: string;
  readonly reason: string;
}

/** A finding in one line: file:line, severity, object, field and reason. */
export function findingText({ severity, file, line, path, object, reason }: Finding): string {
  const parts = [object, path, reason].filter((part) => part !== "");
  return `${file}:${line}: ${severity}: ${parts.join(": ")}`;
}

/** Checks files as the controller and the dataplane would read them, without either; in the order of files and lines. */
export function checkFiles(files: readonly NamedFile[], options: OfflineOptions): Finding[] {
  const state = new FolderState();
  const { changes } = state.apply(files);
  const findings: Finding[] = state.problems().map(({ file, line, path, object, reason }) => ({
    severity: "error",
    file,
    line,
    path,
    object,
    reason: redactText(reason),
  }));
  const find = (severity: Finding["severity"], object: string, reason: string) => {
    const { file, line } = state.placeOf(object) ?? { file: "", line: 0 };
    findings.push({ severity, file, line, path: "", object, reason: redactText(reason) });
  };
  const updates = offlineTranslator(options).update(changes);
  for (const { kind, name, resource } of updates) {
    if (resource === null) continue;
    if (kind === Kind.KIND_ROUTE) {
      try {
        compileRoute(name, Route.decode(resource.body));
      } catch (error) {
        find("error", name, messageOf(error));
      }
    }
    if (kind !== Kind.KIND_OUTCOME) continue;
    const outcome = Outcome.decode(resource.body);
    for (const failure of failuresOf(outcome)) {
      // What the source refuses is among its problems already.
      if (failure.reason !== "Invalid") find("error", name, failureText(failure));
    }
    for (const { message } of remarksOf(outcome)) {
      find("warning", name, `has no effect yet: ${message}`);
    }
  }
  return findings.sort((a, b) => a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line);
}
