import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { BlobClient, BlobItem, ContainerClient } from '@azure/storage-blob';
import { withinTime } from './deadline.ts';
import { describeFailure, unlessMissing } from './failure.ts';

// Small blobs of the app's own storage. Each call has a deadline. Errors are the SDK's.

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
): Promise<BlobItem[]> {
  const listed = await unlessMissing(() =>
    withinTime(TIMEOUT_MS, async (limit) => {
      const blobs: BlobItem[] = [];
      for await (const blob of container.listBlobsFlat({ prefix, ...limit, ...options })) blobs.push(blob);
      return blobs;
    }),
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
): Promise<{ readonly text: string; readonly etag: string } | undefined> {
  const blob = container.getBlobClient(name);
  return unlessMissing(() => withinTime(TIMEOUT_MS, (limit) => readBlobText(blob, limit)));
}

export async function removeBlob(container: ContainerClient, name: string): Promise<void> {
  await withinTime(TIMEOUT_MS, (limit) => container.getBlobClient(name).deleteIfExists(limit));
}

/** @param etag ETag of the blob to replace; undefined: replaces any blob */
export async function uploadText(
  container: ContainerClient,
  name: string,
  text: string,
  metadata: Record<string, string> = {},
  etag?: string,
): Promise<void> {
  const options = { metadata, blobHTTPHeaders: JSON_FILE, ...ifMatch(etag) };
  await orInNewContainer(container, (limit) =>
    container.getBlockBlobClient(name).uploadData(Buffer.from(text), { ...options, ...limit }),
  );
}

function ifMatch(etag: string | undefined) {
  return etag === undefined ? {} : { conditions: { ifMatch: etag } };
}

/** Writes. If the container does not exist, creates it and writes again. */
export async function orInNewContainer(
  container: ContainerClient,
  put: (limit: Limit) => Promise<unknown>,
  ms = TIMEOUT_MS,
): Promise<void> {
  try {
    await withinTime(ms, put);
  } catch (error) {
    if (describeFailure(error).code !== 'ContainerNotFound') throw error;
    await withinTime(ms, (limit) => container.createIfNotExists(limit));
    await withinTime(ms, put);
  }
}
