import { type ContainerClient, RestError } from '@azure/storage-blob';
import { readBlobText } from '../azure/blob-text.ts';
import { withinTime } from '../azure/deadline.ts';
import { parseJson } from '../text.ts';
import { isAheadOf, SIGNED_HEAD, type SignedHead } from './signed-head.ts';

/** For all the requests of a call. Milliseconds. */
const TIMEOUT_MS = 10_000;
/** A head has some hundreds. */
const MOST_BYTES = 64 * 1024;
/** Other checks may keep theirs at the same moment; so often it is read again. */
const MOST_ROUNDS = 20;
const NAME = /^\d{4}-\d{2}-\d{2}\.json$/;

/** What stands under a day. Whoever may write the container may have put it there. */
export interface KeptHead {
  readonly day: string;
  /** Undefined: it is no head. */
  readonly head: SignedHead | undefined;
}

/** The heads of the trail, one for each day. Errors are the SDK's. */
export interface HeadStore {
  /** Oldest first, by the days that they stand under. */
  list(): Promise<readonly KeptHead[]>;
  /** So many at most, newest first. */
  newest(most: number): Promise<readonly KeptHead[]>;
  /** In the place of the day's head before, which is never one of the same trail with a greater number. */
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
        const { text, etag } = await readBlobText(container.getBlobClient(name), limit, MOST_BYTES);
        return { head: SIGNED_HEAD.safeParse(parseJson(text)).data, etag };
      });
    } catch (error) {
      if (isMissing(error)) return { head: undefined, etag: undefined };
      throw error;
    }
  };
  const kept = async (name: string): Promise<KeptHead> => ({
    day: name.slice(0, -'.json'.length),
    head: (await read(name)).head,
  });
  return {
    list: async () => Promise.all((await names()).map(kept)),
    newest: async (most) => Promise.all((await names()).slice(-most).reverse().map(kept)),
    async keep(head) {
      const name = `${head.day}.json`;
      const text = JSON.stringify(head);
      for (let round = 1; ; round += 1) {
        const { head: before, etag } = await read(name);
        if (isAheadOf(before, head)) return;
        const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
        try {
          await withinTime(TIMEOUT_MS, async (limit) => {
            await container.createIfNotExists(limit);
            await container.getBlockBlobClient(name).upload(text, Buffer.byteLength(text), { ...limit, conditions });
          });
          return;
        } catch (error) {
          if (!isOvertaken(error) || round >= MOST_ROUNDS) throw error;
        }
      }
    },
  };
}

function isOvertaken(error: unknown): boolean {
  return error instanceof RestError && (error.statusCode === 412 || error.statusCode === 409);
}

function isMissing(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}
