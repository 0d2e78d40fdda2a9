import { buffer } from 'node:stream/consumers';
import type { TokenCredential } from '@azure/identity';
import { type ContainerClient, RestError } from '@azure/storage-blob';
import { ONE_RETRY, openAuditTrailContainer, openControlContainer } from '../azure/app-storage.ts';
import { listBlobs, writeOrCreateContainer } from '../azure/blobs.ts';
import { runWithAbortSignal } from '../azure/deadline.ts';
import type { Settings } from '../settings/settings.ts';

/** Container of the audit trail in the app's own storage. */
export const AUDIT_CONTAINER = 'cmk-audit';

/** Files of the trail. Sizes and positions are in bytes. */
export type AuditFiles = ReturnType<typeof createAuditFiles>;

/** Result of an append. */
type AppendResult =
  | { readonly result: 'appended'; readonly blocks: number }
  /**
   * `moved`: the file does not end at the given position. `absent`: the file or its container does not exist. `full`:
   * the file accepts no more blocks, or is no append blob.
   */
  | { readonly result: 'moved' | 'absent' | 'full' }
  /** No answer arrived, so the result is indeterminate. */
  | { readonly result: 'unknown'; readonly error: unknown };

/**
 * Stores the trail's files as append blobs in a container.
 *
 * @param timeoutMs milliseconds for a request and its retries. The client's own `tryTimeoutInMs` only limits the
 * service's processing time, so a hanging connection would hang forever.
 */
export function createAuditFiles(container: ContainerClient, timeoutMs = 5_000) {
  const bounded = <T>(run: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>): Promise<T> =>
    runWithAbortSignal(timeoutMs, run);

  return {
    /** Lists every file in any order; empty if the container does not exist. */
    async list() {
      return (await listBlobs(container, '', {}, timeoutMs)).map(({ name, properties }) => {
        const { contentLength: size = 0, blobType } = properties;
        // Any other blob is a replacement by another writer.
        return { name, size, appendable: blobType === 'AppendBlob' };
      });
    },

    /** Creates an empty file and the container, if they do not exist. */
    create(name: string): Promise<void> {
      const blob = container.getAppendBlobClient(name);
      const blobHTTPHeaders = { blobContentType: 'application/jsonl; charset=utf-8' };
      const makeBlob = (limit: object) => blob.createIfNotExists({ ...limit, blobHTTPHeaders });
      return writeOrCreateContainer(container, makeBlob, timeoutMs);
    },

    /** Appends a block if the file ends exactly at `appendPosition`. */
    async append(name: string, appendPosition: number, bytes: Uint8Array): Promise<AppendResult> {
      const blob = container.getAppendBlobClient(name);
      const conditions = { appendPosition };
      try {
        const { blobCommittedBlockCount: blocks = 0 } = await bounded((limit) =>
          blob.appendBlock(bytes, bytes.length, { ...limit, conditions }),
        );
        return { result: 'appended', blocks };
      } catch (error) {
        return appendFailure(error);
      }
    },

    /**
     * Reads bytes `from` (inclusive) to `to` (exclusive), with the size of the whole file and the number of its blocks;
     * undefined if the file ends before `from`.
     */
    async read(name: string, from: number, to: number) {
      try {
        return await bounded(async (limit) => {
          const answer = await container.getAppendBlobClient(name).download(from, to - from, limit);
          const { readableStreamBody: body, blobCommittedBlockCount: blocks = 0 } = answer;
          const bytes: Buffer = body ? await buffer(body) : Buffer.alloc(0);
          return { bytes, size: sizeOf(answer.contentRange) ?? bytes.length, blocks };
        });
      } catch (error) {
        // An empty file has no valid range; a truncated file has none beyond its end.
        if (NOTHING_THERE.has(codeOf(error) ?? '')) return undefined;
        throw error;
      }
    },
  };
}

const NOTHING_THERE: ReadonlySet<string> = new Set(['InvalidRange', 'BlobNotFound', 'ContainerNotFound']);

/** Codes of Append Block. Source: Azure Storage REST reference, Blob service error codes. */
function appendFailure(error: unknown): AppendResult {
  switch (codeOf(error)) {
    case 'AppendPositionConditionNotMet':
      return { result: 'moved' };
    case 'BlobNotFound':
    case 'ContainerNotFound':
      return { result: 'absent' };
    case 'BlockCountExceedsLimit':
    case 'InvalidBlobType':
      return { result: 'full' };
    default:
      return { result: 'unknown', error };
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof RestError ? error.code : undefined;
}

/** Total of `bytes 0-99/1234`. */
function sizeOf(contentRange: string | undefined): number | undefined {
  const total = contentRange?.split('/')[1];
  return total && /^\d+$/.test(total) ? Number(total) : undefined;
}

/** Opens the container in the app's own storage without a request. */
export function openAuditContainer(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  name: string = AUDIT_CONTAINER,
): ContainerClient {
  const open = name === AUDIT_CONTAINER ? openAuditTrailContainer : openControlContainer;
  return open(settings, credential, name, ONE_RETRY);
}
