import type { TokenCredential } from '@azure/identity';
import { type ContainerClient, RestError } from '@azure/storage-blob';
import { auditTrailContainer, controlContainer, ONE_RETRY } from '../azure/app-storage.ts';
import { withinTime } from '../azure/deadline.ts';
import type { Settings } from '../settings/settings.ts';
import { type AppendResult, AUDIT_CONTAINER, type AuditFiles, type AuditSlice } from './audit-files.ts';

const PART_BYTES = 4 * 1024 * 1024;

/**
 * Stores the trail's files as append blobs in a container.
 *
 * @param timeoutMs milliseconds for a request and its retries. The client's own `tryTimeoutInMs` only limits the
 * service's processing time, so a hanging connection would hang forever.
 */
export function auditFiles(container: ContainerClient, timeoutMs = 5_000): AuditFiles {
  const bounded = <T>(run: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>): Promise<T> =>
    withinTime(timeoutMs, run);
  const read: AuditFiles['read'] = async (name, from, to) => {
    const blob = container.getAppendBlobClient(name);
    try {
      return await bounded(async (limit) => {
        const answer = await blob.download(from, to === undefined ? undefined : to - from, limit);
        const bytes = await collect(answer.readableStreamBody);
        return {
          bytes,
          size: sizeOf(answer.contentRange) ?? bytes.length,
          blocks: answer.blobCommittedBlockCount ?? 0,
        };
      });
    } catch (error) {
      // An empty file has no valid range; a truncated file has none beyond its end.
      if (NOTHING_THERE.has(codeOf(error) ?? '')) return undefined;
      throw error;
    }
  };
  return {
    async list() {
      try {
        return await bounded(async (limit) => {
          const files = [];
          for await (const { name, properties } of container.listBlobsFlat(limit)) {
            const { contentLength = 0, blobType } = properties;
            files.push({ name, size: contentLength, appendable: blobType === 'AppendBlob' });
          }
          return files;
        });
      } catch (error) {
        if (codeOf(error) === 'ContainerNotFound') return [];
        throw error;
      }
    },

    async create(name) {
      const blob = container.getAppendBlobClient(name);
      const blobHTTPHeaders = { blobContentType: 'application/jsonl; charset=utf-8' };
      const makeBlob = () => bounded((limit) => blob.createIfNotExists({ ...limit, blobHTTPHeaders }));
      try {
        await makeBlob();
      } catch (error) {
        if (codeOf(error) !== 'ContainerNotFound') throw error;
        await bounded((limit) => container.createIfNotExists(limit));
        await makeBlob();
      }
    },

    async append(name, position, bytes) {
      const blob = container.getAppendBlobClient(name);
      const conditions = { appendPosition: position };
      try {
        const { blobCommittedBlockCount = 0 } = await bounded((limit) =>
          blob.appendBlock(bytes, bytes.length, { ...limit, conditions }),
        );
        return { result: 'appended', blocks: blobCommittedBlockCount };
      } catch (error) {
        return appendFailure(error);
      }
    },

    read,

    // Reads ranges, because a streamed body has no deadline.
    async *stream(name) {
      for (let at = 0; ; ) {
        const slice = await read(name, at, at + PART_BYTES);
        if (!slice || slice.bytes.length === 0) return;
        yield slice.bytes;
        at += slice.bytes.length;
        if (at >= slice.size) return;
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

async function collect(stream: NodeJS.ReadableStream | undefined): Promise<AuditSlice['bytes']> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk as unknown as Uint8Array);
  return Buffer.concat(chunks);
}

/** Total of `bytes 0-99/1234`. */
function sizeOf(contentRange: string | undefined): number | undefined {
  const total = contentRange?.split('/')[1];
  return total && /^\d+$/.test(total) ? Number(total) : undefined;
}

export type AuditContainer = ContainerClient;

/** Opens the container in the app's own storage without a request. */
export function auditContainer(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  name: string = AUDIT_CONTAINER,
): AuditContainer {
  return name === AUDIT_CONTAINER
    ? auditTrailContainer(settings, credential, name)
    : controlContainer(settings, credential, name, ONE_RETRY);
}
