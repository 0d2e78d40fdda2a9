import { type ContainerClient, RestError } from '@azure/storage-blob';
import { withinTime } from '../azure/deadline.ts';
import { APPROVAL, type ApprovalRequest } from './approval.ts';

/** Container of requests for approval in the app's own storage. */
export const APPROVALS_CONTAINER = 'cmk-approvals';
/** For one request. Milliseconds. */
const TIMEOUT_MS = 8_000;
/** Requests that are listed at most, newest first. */
const MOST_LISTED = 200;

/** A request as it is kept, with what tells whether somebody has changed it since. */
export interface KeptApproval {
  readonly request: ApprovalRequest;
  readonly etag: string;
}

/** Requests for approval. Errors are the SDK's. */
export interface ApprovalStore {
  /** Newest first. */
  list(): Promise<readonly ApprovalRequest[]>;
  get(id: string): Promise<KeptApproval | undefined>;
  /** @param etag of what was read; undefined: it is new. @returns false when somebody else was faster */
  put(request: ApprovalRequest, etag: string | undefined): Promise<boolean>;
}

export function approvalStore(container: ContainerClient): ApprovalStore {
  const read = async (name: string): Promise<KeptApproval | undefined> => {
    try {
      return await withinTime(TIMEOUT_MS, async (limit) => {
        const { readableStreamBody, etag = '' } = await container.getBlobClient(name).download(0, undefined, limit);
        const chunks: Uint8Array[] = [];
        for await (const chunk of readableStreamBody ?? []) chunks.push(chunk as unknown as Uint8Array);
        const request = APPROVAL.safeParse(JSON.parse(Buffer.concat(chunks).toString())).data;
        return request && { request, etag };
      });
    } catch (error) {
      if (error instanceof SyntaxError || statusOf(error) === 404) return undefined;
      throw error;
    }
  };
  return {
    async list() {
      const names = await withinTime(TIMEOUT_MS, async (limit) => {
        const found: { name: string; on: number }[] = [];
        try {
          for await (const { name, properties } of container.listBlobsFlat(limit)) {
            found.push({ name, on: properties.createdOn?.getTime() ?? 0 });
          }
        } catch (error) {
          if (statusOf(error) !== 404) throw error;
        }
        return found.sort((a, b) => b.on - a.on).slice(0, MOST_LISTED);
      });
      const kept = await Promise.all(names.map(({ name }) => read(name)));
      return kept.flatMap((one) => one?.request ?? []);
    },
    get: (id) => read(nameOf(id)),
    async put(request, etag) {
      const text = JSON.stringify(request);
      const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
      const upload = () =>
        withinTime(TIMEOUT_MS, (limit) =>
          container
            .getBlockBlobClient(nameOf(request.id))
            .upload(text, Buffer.byteLength(text), { ...limit, conditions }),
        );
      try {
        await upload();
      } catch (error) {
        const status = statusOf(error);
        if (status === 412 || status === 409) return false;
        if (status !== 404 || etag !== undefined) throw error;
        await withinTime(TIMEOUT_MS, (limit) => container.createIfNotExists(limit));
        await upload();
      }
      return true;
    },
  };
}

function nameOf(id: string): string {
  return `${id}.json`;
}

function statusOf(error: unknown): number | undefined {
  return error instanceof RestError ? error.statusCode : undefined;
}
