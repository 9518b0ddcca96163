/**
 * Small JSON documents by collection and id that the backends keep besides the registry.
 *
 * `Documents` of `src/storage/documents.ts` keeps them in files.
 *
 * @module
 */

/** Durable store of small JSON documents. */
export interface DocumentStore {
  /** Writes a document, whole and durably. */
  put(collection: string, id: string, value: unknown): Promise<void>;
  /** All intact documents of a collection; the id is the one that a file name can hold. */
  list(collection: string): Promise<Array<{ id: string; value: unknown }>>;
  /** Removes a document; fine when there is none. */
  remove(collection: string, id: string): Promise<void>;
}
