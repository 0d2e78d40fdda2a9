import { type ContainerClient, RestError } from '@azure/storage-blob';
import { z } from 'zod';
import { withinTime } from '../azure/deadline.ts';
import { compareText } from '../text.ts';
import { APPROVAL, APPROVAL_DEED, type ApprovalDeed, type ApprovalRequest, hasExpired } from './approval.ts';

/** Container of requests for approval in the app's own storage. */
export const APPROVALS_CONTAINER = 'cmk-approvals';
/** For one request. Milliseconds. */
const TIMEOUT_MS = 8_000;
/** A request has some kilobytes. Who may write the storage can put one there that has no end. */
const MOST_BYTES = 64 * 1024;
/** Requests that are listed at most. */
const MOST_LISTED = 200;
/** Requests that are kept in memory; with more, all are read anew. */
const MOST_KNOWN = 2 * MOST_LISTED;

/** A request as it is kept, with what tells whether somebody has changed it since. */
export interface KeptApproval {
  readonly request: ApprovalRequest;
  /** What was done to it and is not known to be in the audit trail. */
  readonly unrecorded: readonly ApprovalDeed[];
  readonly etag: string;
}

/** Beside the request, in the same blob; absent where all is on record, and in one that was kept before this was noted. */
const UNRECORDED = z.object({ unrecorded: z.array(APPROVAL_DEED).optional() });

/** Requests for approval. Errors are the SDK's. */
export interface ApprovalStore {
  /** How often it has written, or may have: what began to be read before the last time may be without that. */
  readonly writes: number;
  /** Newest first: all that wait, up to 200, and as many of the others as have room beside them. */
  list(now: Date): Promise<readonly ApprovalRequest[]>;
  /** Those that wait and have not expired, newest first, up to 200. */
  waiting(now: Date): Promise<readonly ApprovalRequest[]>;
  /** Ids of those to which something was done that is not known to be in the audit trail, up to 200. */
  unrecorded(): Promise<readonly string[]>;
  get(id: string): Promise<KeptApproval | undefined>;
  /** @param etag of what was read; undefined: it is new. @returns false when somebody else was faster */
  put(request: ApprovalRequest, etag: string | undefined, unrecorded: readonly ApprovalDeed[]): Promise<boolean>;
}

export function approvalStore(container: ContainerClient): ApprovalStore {
  let writes = 0;
  /** As last read, by name: what a list says has not changed since is not read again. */
  const known = new Map<string, KeptApproval>();
  const readBlob = (name: string) => readRequest(container, name);
  const readOnce = async ({ name, etag }: Outline): Promise<KeptApproval | undefined> => {
    const before = known.get(name);
    if (before && bare(before.etag) === etag) return before;
    const read = await readBlob(name);
    if (known.size >= MOST_KNOWN) known.clear();
    if (read) known.set(name, read);
    return read;
  };
  const readAll = async (outlines: readonly Outline[]) => {
    const read = await Promise.all(
      outlines.slice(0, MOST_LISTED).map(async (outline) => {
        const { request } = (await readOnce(outline)) ?? {};
        return request && nameOf(request.id) === outline.name ? request : [];
      }),
    );
    return read.flat().sort((a, b) => compareText(b.askedOn, a.askedOn));
  };
  return {
    get writes() {
      return writes;
    },
    async list(now) {
      const all = await outlined(container);
      const open = all.filter((one) => isOpen(one, now));
      return readAll([...open, ...all.filter((one) => !open.includes(one))]);
    },
    async waiting(now) {
      return (await readAll((await outlined(container)).filter((one) => isOpen(one, now)))).filter((one) =>
        isOpen(one, now),
      );
    },
    async unrecorded() {
      const open = (await outlined(container)).filter(({ isRecorded }) => isRecorded !== true).slice(0, MOST_LISTED);
      const isMeant = async (one: Outline) =>
        one.isRecorded === false || ((await readOnce(one))?.unrecorded ?? []).length > 0;
      const found = await Promise.all(open.map(async (one) => ((await isMeant(one)) ? one.name : [])));
      return found.flat().flatMap((name) => /^([0-9a-f]{40})\.json$/.exec(name)?.[1] ?? []);
    },
    get: (id) => readBlob(nameOf(id)),
    async put(request, etag, unrecorded) {
      const isRecorded = unrecorded.length === 0;
      const text = JSON.stringify(isRecorded ? request : { ...request, unrecorded });
      const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
      // So that what is over can be told from what waits, and what is on record from what is not, without reading each.
      const metadata = {
        ...{ state: request.state, askedon: request.askedOn, expireson: request.expiresOn },
        ...(isRecorded ? {} : { unrecorded: 'yes' }),
      };
      const upload = () =>
        withinTime(TIMEOUT_MS, (limit) =>
          container
            .getBlockBlobClient(nameOf(request.id))
            .upload(text, Buffer.byteLength(text), { ...limit, conditions, metadata }),
        );
      try {
        await upload();
      } catch (error) {
        const status = statusOf(error);
        if (status === 412 || status === 409) return false;
        if (status !== 404 || etag !== undefined) throw error;
        await withinTime(TIMEOUT_MS, (limit) => container.createIfNotExists(limit));
        await upload();
      } finally {
        writes += 1;
      }
      return true;
    },
  };
}

/** What the list of names says of a request; one without it is read to know. */
type Outline = Readonly<Record<'name' | 'etag' | 'state' | 'askedOn' | 'expiresOn', string>> & {
  /** Undefined: nothing beside it says so, as of a copy that has come back from a backup. */
  readonly isRecorded: boolean | undefined;
};

async function readRequest(container: ContainerClient, name: string): Promise<KeptApproval | undefined> {
  try {
    return await withinTime(TIMEOUT_MS, async (limit) => {
      const { readableStreamBody, etag = '' } = await container.getBlobClient(name).download(0, MOST_BYTES, limit);
      const chunks: Uint8Array[] = [];
      for await (const chunk of readableStreamBody ?? []) chunks.push(chunk as unknown as Uint8Array);
      const text: unknown = JSON.parse(Buffer.concat(chunks).toString());
      const request = APPROVAL.safeParse(text).data;
      return request && { request, unrecorded: UNRECORDED.safeParse(text).data?.unrecorded ?? [], etag };
    });
  } catch (error) {
    // What is cut off is no JSON, and an empty one has no range.
    if (error instanceof SyntaxError || statusOf(error) === 404 || statusOf(error) === 416) return undefined;
    throw error;
  }
}

/** What is there, without reading each. */
function outlined(container: ContainerClient): Promise<Outline[]> {
  return withinTime(TIMEOUT_MS, async (limit) => {
    const found: Outline[] = [];
    try {
      for await (const { name, metadata, properties } of container.listBlobsFlat({
        ...limit,
        includeMetadata: true,
      })) {
        const { state = 'waiting', askedon: askedOn = '', expireson: expiresOn = '' } = metadata ?? {};
        const isRecorded = metadata?.state === undefined ? undefined : metadata.unrecorded === undefined;
        found.push({ name, etag: bare(properties.etag), state, askedOn, expiresOn, isRecorded });
      }
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
    return found.sort((a, b) => compareText(b.askedOn, a.askedOn));
  });
}

/** In a list it stands without the quotes that it has in a header. */
function bare(etag: string): string {
  return etag.replaceAll('"', '');
}

function isOpen({ state, expiresOn }: Pick<Outline, 'state' | 'expiresOn'>, now: Date): boolean {
  return state === 'waiting' && (expiresOn === '' || !hasExpired({ expiresOn }, now));
}

function nameOf(id: string): string {
  return `${id}.json`;
}

function statusOf(error: unknown): number | undefined {
  return error instanceof RestError ? error.statusCode : undefined;
}
