/**
 * The server's documents on the disk of {@linkcode Documents}: any id, and whole collections.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { DocumentStore } from "../../server/document_store.ts";
import type { Documents } from "../../storage/documents.ts";

/** Longest encoded id; a longer one is replaced by its hash. */
const MAX_ENCODED_LENGTH = 180;

/** Documents as the server's backends use them. */
export function documentStore(documents: Documents): DocumentStore {
  return {
    put: (collection, id, value) => documents.put(collection, fileId(id), value),
    remove: (collection, id) => documents.remove(collection, fileId(id)),
    async list(collection) {
      const found: Array<{ id: string; value: unknown }> = [];
      for (const id of await documents.list(collection)) {
        const value = await documents.get<unknown>(collection, id);
        // A damaged one was set aside, and the log says so.
        if (value !== null) found.push({ id, value });
      }
      return found;
    },
  };
}

/** An id that every file system takes, another one for every id: `web@[::1]:22` has brackets and colons. */
export function fileId(id: string): string {
  const encoded = id.replace(
    /[^A-Za-z0-9.@-]/gu,
    (char) => `_${char.codePointAt(0)?.toString(16)}_`,
  );
  if (encoded.length <= MAX_ENCODED_LENGTH && /^[A-Za-z0-9]/.test(encoded)) return encoded;
  return `h-${createHash("sha256").update(id).digest("hex")}`;
}
