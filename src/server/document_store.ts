/**
 * What the backends remember besides the registry: small JSON documents by collection and id.
 *
 * The file implementation is `src/storage/documents.ts`; the server only knows this shape.
 *
 * @module
 */

/** A durable home for small JSON documents. */
export interface DocumentStore {
  /** Writes a document, whole and durably. */
  put(collection: string, id: string, value: unknown): Promise<void>;
  /** All readable documents of a collection. */
  list(collection: string): Promise<Array<{ id: string; value: unknown }>>;
  /** Removes a document; fine when there is none. */
  remove(collection: string, id: string): Promise<void>;
}
