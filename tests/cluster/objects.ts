import { parseAllDocuments } from "yaml";
import { type KindName, KINDS } from "../../api/kinds.ts";
import { type ApiClient, ApiError } from "../../controller/source/kubernetes/api_client.ts";
import { kindPath, objectPath } from "../../controller/source/kubernetes/paths.ts";

interface Document {
  readonly kind: KindName;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

function documentsOf(text: string): Document[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Document | null)
    .filter((document) => document !== null);
}

function keyOf({ kind, metadata: { name, namespace = "default" } }: Document) {
  return { kind, namespace: KINDS[kind].clusterScoped === true ? "" : namespace, name };
}

/** Creates or replaces objects. */
export async function apply(client: ApiClient, text: string): Promise<void> {
  for (const document of documentsOf(text)) {
    const key = keyOf(document);
    const place = objectPath(key);
    const all = key.namespace === "" ? kindPath(key.kind) : place.slice(0, place.lastIndexOf("/"));
    try {
      const { metadata } = await client.request(place);
      const { resourceVersion } = metadata;
      const body = { ...document, metadata: { ...document.metadata, resourceVersion } };
      await client.request(place, { method: "PUT", body });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      await client.request(all, { method: "POST", body: document });
    }
  }
}

/** Deletes objects that are there. */
export async function remove(client: ApiClient, text: string): Promise<void> {
  for (const document of documentsOf(text)) {
    await client.request(objectPath(keyOf(document)), { method: "DELETE" }).catch((error) => {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    });
  }
}
