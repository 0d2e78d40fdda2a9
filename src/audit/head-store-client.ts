import { type ContainerClient, RestError } from '@azure/storage-blob';
import { withinTime } from '../azure/deadline.ts';
import { SIGNED_HEAD, type SignedHead } from './signed-head.ts';

/** Container of the heads in the app's own storage: not the one of the trail, so that roles and policies can differ. */
export const HEADS_CONTAINER = 'cmk-audit-heads';
/** For all the requests of a call. Milliseconds. */
const TIMEOUT_MS = 10_000;
const NAME = /^\d{4}-\d{2}-\d{2}\.json$/;

/** The heads of the trail, one for each day. Errors are the SDK's. */
export interface HeadStore {
  /** Oldest first; those that are no heads are left out. */
  list(): Promise<readonly SignedHead[]>;
  /** The newest; undefined: there is none. */
  newest(): Promise<SignedHead | undefined>;
  /** In the place of the day's head before, which is never one with a greater number. */
  keep(head: SignedHead): Promise<void>;
}

export function headStore(container: ContainerClient): HeadStore {
  const names = (): Promise<string[]> =>
    withinTime(TIMEOUT_MS, async (limit) => {
      const found: string[] = [];
      try {
        for await (const { name } of container.listBlobsFlat(limit)) if (NAME.test(name)) found.push(name);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
      return found.sort();
    });
  const read = async (name: string): Promise<{ head: SignedHead | undefined; etag: string | undefined }> => {
    try {
      return await withinTime(TIMEOUT_MS, async (limit) => {
        const blob = container.getBlobClient(name);
        const { etag } = await blob.getProperties(limit);
        const bytes = await blob.downloadToBuffer(0, undefined, limit);
        return { head: parsed(bytes), etag };
      });
    } catch (error) {
      if (isMissing(error)) return { head: undefined, etag: undefined };
      throw error;
    }
  };
  return {
    async list() {
      const heads = await Promise.all((await names()).map((name) => read(name)));
      return heads.flatMap(({ head }) => head ?? []);
    },
    async newest() {
      const last = (await names()).at(-1);
      return last === undefined ? undefined : (await read(last)).head;
    },
    async keep(head) {
      const name = `${head.day}.json`;
      const { head: before, etag } = await read(name);
      if (before && before.seq > head.seq) return;
      const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
      const text = JSON.stringify(head);
      await withinTime(TIMEOUT_MS, async (limit) => {
        await container.createIfNotExists(limit);
        await container.getBlockBlobClient(name).upload(text, Buffer.byteLength(text), { ...limit, conditions });
      });
    },
  };
}

function parsed(bytes: Buffer): SignedHead | undefined {
  try {
    return SIGNED_HEAD.safeParse(JSON.parse(bytes.toString())).data;
  } catch {
    return undefined; // not JSON
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}
