import { createRequire } from 'node:module';

/** The changed part of a collection of LokiJS, in which Azurite stores everything. */
interface Collection {
  readonly data: readonly unknown[];
  remove(document: unknown): unknown;
  update(document: unknown): unknown;
  removeBatch(documents: readonly unknown[]): unknown;
  removeBatchByPositions(positions: readonly number[]): unknown;
}

/** A request to a queue has 32 messages at most. */
const FEW = 32;

let isDone = false;

/**
 * Makes LokiJS update the few documents of a list one at a time, which keeps its indexes in order. LokiJS itself
 * updates a list at once and then sorts every index again, even for one document or none.
 *
 * Azurite uses such lists for the expired messages in each request to a queue, which are usually none; for the received
 * messages; and every minute for each text of a deleted message. With 2,000 waiting messages a request sorts 2,000 four
 * times, and the deletion of as many texts blocks all clients for ten seconds.
 *
 * No index may use a property that the update of a list changes. Azurite updates only one list, of received messages,
 * and no index uses what changes in it.
 */
export function keepLokiSorted(): void {
  if (isDone) return;

  isDone = true;

  const azurite = createRequire(import.meta.url).resolve('azurite/package.json');
  const loki = createRequire(azurite)('lokijs') as { readonly Collection: { readonly prototype: Collection } };
  const collection = loki.Collection.prototype;
  const { update, removeBatch, removeBatchByPositions } = collection;

  collection.update = function (this: Collection, document) {
    if (!Array.isArray(document) || document.length > FEW) return update.call(this, document);
    for (const one of document) update.call(this, one);
    return undefined;
  };

  collection.removeBatch = function (this: Collection, documents) {
    if (documents.length > FEW) return removeBatch.call(this, documents);
    for (const one of documents) this.remove(one);
    return undefined;
  };

  collection.removeBatchByPositions = function (this: Collection, positions) {
    if (positions.length > FEW) return removeBatchByPositions.call(this, positions);
    for (const one of positions.map((position) => this.data[position])) this.remove(one);
    return undefined;
  };
}
