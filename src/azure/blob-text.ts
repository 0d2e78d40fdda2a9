import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { BlobClient } from '@azure/storage-blob';

/**
 * What is in a small blob, and the ETag of just that. By one request: between two another instance may write it anew, and what
 * is read is cut off, or nobody's. Errors are the SDK's.
 *
 * @param mostBytes a longer one is not read, and counts as empty
 */
export async function readBlobText(
  blob: Pick<BlobClient, 'download'>,
  limit: { readonly abortSignal: AbortSignal },
  mostBytes = Number.POSITIVE_INFINITY,
): Promise<{ readonly text: string; readonly etag: string | undefined }> {
  const { etag, contentLength = 0, readableStreamBody: body } = await blob.download(0, undefined, limit);
  if (contentLength <= mostBytes) return { text: body ? await text(body) : '', etag };
  if (body instanceof Readable) body.destroy();
  return { text: '', etag };
}
