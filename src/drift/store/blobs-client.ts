import { Readable } from 'node:stream';
import type { BlobItem, ContainerClient } from '@azure/storage-blob';
import { readBlobText } from '../../azure/blob-text.ts';
import { withinTime } from '../../azure/deadline.ts';
import { describeFailure } from '../../azure/failure.ts';

// The few things that the drift check does with blobs. Errors are the SDK's.

/** For all the requests of a call, and what they send. Milliseconds. */
const TIMEOUT_MS = 30_000;
const BLOCK_BYTES = 1_048_576;
const JSON_FILE = { blobContentType: 'application/json; charset=utf-8' };

/** The blobs of a container; none where the container is not there yet. */
export async function listBlobs(
  container: ContainerClient,
  prefix: string,
  options: { includeMetadata?: boolean } = {},
): Promise<BlobItem[]> {
  try {
    return await withinTime(TIMEOUT_MS, async (limit) => {
      const blobs: BlobItem[] = [];
      for await (const blob of container.listBlobsFlat({ prefix, ...limit, ...options })) blobs.push(blob);
      return blobs;
    });
  } catch (error) {
    if (describeFailure(error).kind !== 'notFound') throw error;
    return [];
  }
}

export async function downloadText(container: ContainerClient, name: string): Promise<string | undefined> {
  try {
    const blob = container.getBlobClient(name);
    return (await withinTime(TIMEOUT_MS, (limit) => readBlobText(blob, limit))).text;
  } catch (error) {
    if (describeFailure(error).kind === 'notFound') return undefined;
    throw error;
  }
}

export async function removeBlob(container: ContainerClient, name: string): Promise<void> {
  await withinTime(TIMEOUT_MS, (limit) => container.getBlobClient(name).deleteIfExists(limit));
}

export async function uploadText(
  container: ContainerClient,
  name: string,
  text: string,
  metadata: Record<string, string>,
): Promise<void> {
  await orInNewContainer(container, (limit) =>
    container
      .getBlockBlobClient(name)
      .uploadData(Buffer.from(text), { metadata, blobHTTPHeaders: JSON_FILE, ...limit }),
  );
}

/** A text that is never there as a whole: no more of it than a block. The blob is there when all of it is. */
export async function uploadPieces(
  container: ContainerClient,
  name: string,
  pieces: () => Iterable<string>,
): Promise<void> {
  await orInNewContainer(container, (limit) =>
    container
      .getBlockBlobClient(name)
      .uploadStream(Readable.from(pieces()), BLOCK_BYTES, 1, { blobHTTPHeaders: JSON_FILE, ...limit }),
  );
}

async function orInNewContainer(
  container: ContainerClient,
  put: (limit: { readonly abortSignal: AbortSignal }) => Promise<unknown>,
): Promise<void> {
  try {
    await withinTime(TIMEOUT_MS, put);
  } catch (error) {
    if (describeFailure(error).code !== 'ContainerNotFound') throw error;
    await withinTime(TIMEOUT_MS, (limit) => container.createIfNotExists(limit));
    await withinTime(TIMEOUT_MS, put);
  }
}
