import type { TableClient } from '@azure/data-tables';
import type { ContainerClient } from '@azure/storage-blob';
import type { z } from 'zod';
import { parseJson } from '../text.ts';
import { JSON_FILE, orInNewContainer, readBlobText } from './blobs.ts';
import { withinTime } from './deadline.ts';
import { describeFailure, isTableMissing, unlessMissing } from './failure.ts';

/** A document, and the ETag of that very content. */
export interface StoredDocument<T> {
  readonly value: T;
  readonly etag: string;
}

/** JSON documents in the app's own storage, each guarded by its ETag. Errors are the SDK's. */
export interface Documents<T> {
  read(name: string, signal?: AbortSignal): Promise<StoredDocument<T> | undefined>;
  /**
   * @param etag of what was read; undefined: there is none yet
   * @returns false: another instance has written or deleted it since
   */
  put(name: string, value: T, etag: string | undefined): Promise<boolean>;
  /**
   * Reads, changes and puts a document. After a conflict `change` is called again with the newer content. If the answer to a
   * write was lost, that content is its own: `change` has to recognise it.
   *
   * @param change returns its argument to leave the document as it is
   * @param missing makes the argument where there is no document
   */
  change(name: string, change: (current: T) => T, missing: () => Promise<T>): Promise<T>;
}

/** A blob container or table partition that stores documents as text. */
interface TextStore {
  read(name: string, signal: AbortSignal | undefined): Promise<{ readonly text: string; readonly etag: string }>;
  /** Creates the container or table if it is missing. */
  write(name: string, text: string, etag: string | undefined): Promise<unknown>;
}

/** Attempts at a write that gets an ETag conflict each time. */
const MOST_TRIES = 10;

function documentsIn<T>(store: TextStore, schema: z.ZodType<T>): Documents<T> {
  const read: Documents<T>['read'] = async (name, signal) => {
    const found = await unlessMissing(() => store.read(name, signal));
    return found && { value: schema.parse(parseJson(found.text)), etag: found.etag };
  };
  const put: Documents<T>['put'] = async (name, value, etag) => {
    try {
      await store.write(name, JSON.stringify(value), etag);
      return true;
    } catch (error) {
      const { kind } = describeFailure(error);
      if (kind === 'conflict' || kind === 'notFound') return false;
      throw error;
    }
  };
  return {
    read,
    put,
    async change(name, change, missing) {
      for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
        const found = await read(name);
        const current = found ? found.value : await missing();
        const changed = change(current);
        if (changed === current || (await put(name, changed, found?.etag))) return changed;
      }
      throw Object.assign(new Error(`Other instances changed ${name} ${MOST_TRIES} times in a row.`), {
        statusCode: 412,
      });
    },
  };
}

/**
 * A blob for each document.
 *
 * @param schema decides on a damaged document: a reader gets what it throws, or its `catch` value
 * @param ms for each read and write
 */
export function blobDocuments<T>(container: ContainerClient, schema: z.ZodType<T>, ms: number): Documents<T> {
  const store: TextStore = {
    read: (name, signal) => withinTime(ms, (limit) => readBlobText(container.getBlobClient(name), limit), signal),
    write(name, text, etag) {
      const blob = container.getBlockBlobClient(name);
      const conditions = etag ? { ifMatch: etag } : { ifNoneMatch: '*' };
      const options = { conditions, blobHTTPHeaders: JSON_FILE };
      return orInNewContainer(
        container,
        (limit) => blob.upload(text, Buffer.byteLength(text), { ...options, ...limit }),
        ms,
      );
    },
  };
  return documentsIn(store, schema);
}

/** An entity for each document, in its property `row`. @param rowKey makes a row key of a name, which may have characters that a row key cannot */
export function tableDocuments<T>(
  table: () => TableClient,
  partitionKey: string,
  rowKey: (name: string) => string,
  schema: z.ZodType<T>,
): Documents<T> {
  const store: TextStore = {
    async read(name) {
      const { etag, row } = await table().getEntity<{ row?: unknown }>(partitionKey, rowKey(name));
      return { text: typeof row === 'string' ? row : '', etag };
    },
    async write(name, row, etag) {
      const entity = { partitionKey, rowKey: rowKey(name), name, row };
      const write = () => (etag ? table().updateEntity(entity, 'Replace', { etag }) : table().createEntity(entity));
      await write().catch(async (error: unknown) => {
        if (!isTableMissing(error)) throw error;
        await table().createTable();
        await write();
      });
    },
  };
  return documentsIn(store, schema);
}
