import type { ContainerClient } from '@azure/storage-blob';
import type { z } from 'zod';
import { parseJson } from '../text.ts';
import { JSON_FILE, orInNewContainer, readBlobText } from './blobs.ts';
import { withinTime } from './deadline.ts';
import { describeFailure, unlessMissing } from './failure.ts';

/** A document with the ETag of its content. */
export interface StoredDocument<T> {
  readonly value: T;
  readonly etag: string;
}

/** JSON documents in the app's own storage with ETag conditions. Errors are the SDK's. */
export interface Documents<T> {
  read(name: string, signal?: AbortSignal): Promise<StoredDocument<T> | undefined>;
  /**
   * @param etag ETag of the last read; undefined: the document must not exist
   * @returns false: another instance has written or deleted the document since the read
   */
  put(name: string, value: T, etag: string | undefined): Promise<boolean>;
  /**
   * Reads, changes and writes a document. After a conflict, calls `change` again with the newer content. If the answer
   * to a write is lost, that content may be the call's own write, which `change` must recognise.
   *
   * @param change returns its argument to keep the document unchanged
   * @param missing creates the argument if the document does not exist
   */
  change(name: string, change: (current: T) => T, missing: () => Promise<T>): Promise<T>;
}

/** Maximum number of write attempts that end in an ETag conflict. */
const MOST_TRIES = 10;

/**
 * Stores each document as a blob.
 *
 * @param schema handles a damaged document: the reader gets the schema's error or its `catch` value
 * @param ms milliseconds for each read and write
 */
export function blobDocuments<T>(container: ContainerClient, schema: z.ZodType<T>, ms: number): Documents<T> {
  const read: Documents<T>['read'] = async (name, signal) => {
    const blob = container.getBlobClient(name);
    const found = await unlessMissing(() => withinTime(ms, (limit) => readBlobText(blob, limit), signal));
    return found && { value: schema.parse(parseJson(found.text)), etag: found.etag };
  };
  const put: Documents<T>['put'] = async (name, value, etag) => {
    const [blob, text] = [container.getBlockBlobClient(name), JSON.stringify(value)];
    const conditions = etag ? { ifMatch: etag } : { ifNoneMatch: '*' };
    const options = { conditions, blobHTTPHeaders: JSON_FILE };
    const upload = (limit: object) => blob.upload(text, Buffer.byteLength(text), { ...options, ...limit });
    try {
      await orInNewContainer(container, upload, ms);
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
