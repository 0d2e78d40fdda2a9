import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { BlobClient, BlobItem, BlockBlobParallelUploadOptions, ContainerClient } from '@azure/storage-blob';
import type { z } from 'zod';
import { runWithAbortSignal } from './deadline.ts';
import { describeFailure, readUnlessMissing } from './failure.ts';
import { parseJson } from './parse-json.ts';

// Small blobs of the app's own storage, and JSON documents in them. Each call has a deadline. Errors are the SDK's.

/** Deadline for all requests of a call including bodies, in milliseconds. */
const TIMEOUT_MS = 30_000;
export const JSON_FILE = { blobContentType: 'application/json; charset=utf-8' };

type Limit = { readonly abortSignal: AbortSignal };

/**
 * Reads the text and ETag of a small blob in a single request, since another instance may write between two requests.
 *
 * @param mostBytes size above which the blob is not read and counts as empty
 */
export async function readBlobText(
  blob: Pick<BlobClient, 'download'>,
  limit: Limit,
  mostBytes = Number.POSITIVE_INFINITY,
): Promise<{ readonly text: string; readonly etag: string }> {
  const { etag = '', contentLength = 0, readableStreamBody: body } = await blob.download(0, undefined, limit);
  if (contentLength <= mostBytes) return { text: body ? await text(body) : '', etag };
  if (body instanceof Readable) body.destroy();
  return { text: '', etag };
}

/** Lists blobs; empty if the container does not exist. */
export async function listBlobs(
  container: ContainerClient,
  prefix: string,
  options: { includeMetadata?: boolean } = {},
  ms = TIMEOUT_MS,
): Promise<BlobItem[]> {
  const listed = await readUnlessMissing(() =>
    runWithAbortSignal(ms, (limit) => Array.fromAsync(container.listBlobsFlat({ prefix, ...limit, ...options }))),
  );
  return listed ?? [];
}

export async function downloadText(container: ContainerClient, name: string): Promise<string | undefined> {
  return (await readDocument(container, name))?.text;
}

/** Returns the text and ETag of a blob; undefined if the blob does not exist. */
export function readDocument(
  container: ContainerClient,
  name: string,
  ms = TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<{ readonly text: string; readonly etag: string } | undefined> {
  const blob = container.getBlobClient(name);
  return readUnlessMissing(() => runWithAbortSignal(ms, (limit) => readBlobText(blob, limit), signal));
}

export async function removeBlob(container: ContainerClient, name: string): Promise<void> {
  await runWithAbortSignal(TIMEOUT_MS, (limit) => container.getBlobClient(name).deleteIfExists(limit));
}

/** Writes a blob. Replaces any other, unless `options` have conditions. */
export function uploadText(
  container: ContainerClient,
  name: string,
  text: string,
  options: Pick<BlockBlobParallelUploadOptions, 'metadata' | 'conditions'> = {},
  ms = TIMEOUT_MS,
): Promise<void> {
  const blob = container.getBlockBlobClient(name);
  const upload = (limit: Limit) =>
    blob.uploadData(Buffer.from(text), { ...options, blobHTTPHeaders: JSON_FILE, ...limit });
  return writeOrCreateContainer(container, upload, ms);
}

/** Writes. If the container does not exist, creates it and writes again. */
export async function writeOrCreateContainer(
  container: ContainerClient,
  put: (limit: Limit) => Promise<unknown>,
  ms = TIMEOUT_MS,
): Promise<void> {
  try {
    await runWithAbortSignal(ms, put);
  } catch (error) {
    if (describeFailure(error).code !== 'ContainerNotFound') throw error;
    await runWithAbortSignal(ms, (limit) => container.createIfNotExists(limit));
    await runWithAbortSignal(ms, put);
  }
}

/** A document with the ETag of its content. */
export interface StoredDocument<T> {
  readonly value: T;
  readonly etag: string;
}

/** Maximum number of write attempts that end in an ETag conflict. */
const MOST_TRIES = 10;

/**
 * Stores each document as a blob, with ETag conditions.
 *
 * @param schema handles a damaged document: the reader gets the schema's error or its `catch` value
 * @param ms milliseconds for each read and write
 */
export function createBlobDocuments<T>(container: ContainerClient, schema: z.ZodType<T>, ms: number) {
  const read = async (name: string, signal?: AbortSignal): Promise<StoredDocument<T> | undefined> => {
    const found = await readDocument(container, name, ms, signal);
    return found && { value: schema.parse(parseJson(found.text)), etag: found.etag };
  };

  /**
   * @param etag ETag of the last read; undefined: the document must not exist
   * @returns false: another instance has written or deleted the document since the read
   */
  const put = async (name: string, value: T, etag: string | undefined): Promise<boolean> => {
    const conditions = etag ? { ifMatch: etag } : { ifNoneMatch: '*' };
    try {
      await uploadText(container, name, JSON.stringify(value), { conditions }, ms);
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
    /**
     * Reads, changes and writes a document. After a conflict, calls `change` again with the newer content. If the answer
     * to a write is lost, that content may be the call's own write, which `change` must recognise.
     *
     * @param change returns its argument to keep the document unchanged
     * @param missing creates the argument if the document does not exist
     */
    async change(name: string, change: (current: T) => T, missing: () => Promise<T>): Promise<T> {
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
