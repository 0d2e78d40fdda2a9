import { createRequire } from 'node:module';

/** What LokiJS, which Azurite keeps everything in, has of a collection: as far as it is changed here. */
interface Collection {
  readonly data: readonly unknown[];
  remove(document: unknown): unknown;
  update(document: unknown): unknown;
  removeBatch(documents: readonly unknown[]): unknown;
  removeBatchByPositions(positions: readonly number[]): unknown;
}

/** A request of a queue is about 32 messages at most. */
const FEW = 32;

let isDone = false;

/**
 * Has LokiJS change a few documents one after the other, which keeps its indexes in order. Those that it is given as a list
 * it changes together and then sorts every index anew, for a list of one as well, and of none. Azurite gives it such lists:
 * with each request of a queue the messages that have expired, which are none; those that are taken; and once a minute the
 * texts of those that are gone, each for itself. With 2,000 messages that wait a request sorts four times 2,000, and a
 * sweep of as many texts keeps everybody waiting for ten seconds.
 *
 * What is updated as a list must not be indexed by what is changed in it; Azurite's one such list, of messages that are
 * taken, is not.
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
