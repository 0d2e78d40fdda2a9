import type { TokenCredential } from '@azure/identity';
import type { BlockBlobClient } from '@azure/storage-blob';
import { z } from 'zod';
import { controlContainer, ONE_RETRY } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blob-text.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
import { NO_ORDERS, PAUSE, STANDING_ORDERS, type StandingOrders } from './standing-orders.ts';

/** Container of standing orders, in the control zone of the app's own storage. */
export const CONTROL_CONTAINER = 'cmk-control';
const BLOB = 'orders.json';
/** What version 2 wrote; it is read until the first change. */
const OLD_BLOB = 'rollout.json';
/** A writer that meets a conflict reads and tries again, at most so often. */
const MOST_TRIES = 10;
/** Short, as moves wait for it. Milliseconds. */
const READ_MS = 3_000;
const WRITE_MS = 5_000;

/** Pauses of version 2. Its orders to go on were about rollouts that begin anew. */
const OLD_ORDERS = z.object({ pauses: z.array(PAUSE) });

/** One small document, written with its ETag. Errors are the SDK's, or `PauseUnreadable` where it is damaged. */
export interface OrdersStore {
  read(): Promise<StandingOrders>;
  /**
   * Where another instance writes at the same time, `change` is called again with what that one wrote: also after a write
   * whose answer was lost, so that it has to recognise its own.
   *
   * @param change returns what it was given to leave it as it is
   */
  change(change: (orders: StandingOrders) => StandingOrders): Promise<StandingOrders>;
}

/** The client is made when it is first needed. */
export function createOrdersStore(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): OrdersStore {
  const container = controlContainer(settings, credential, CONTROL_CONTAINER, ONE_RETRY);
  const blob = container.getBlockBlobClient(BLOB);
  const load = async (): Promise<{ readonly orders: StandingOrders; readonly etag: string | undefined }> => {
    const found = await download(blob);
    if (found) return { orders: parsed(found.text), etag: found.etag };
    const old = await download(container.getBlockBlobClient(OLD_BLOB));
    return { orders: old ? parsedOld(old.text) : NO_ORDERS, etag: undefined };
  };
  const store = async (orders: StandingOrders, etag: string | undefined): Promise<void> => {
    try {
      await upload(blob, orders, etag);
    } catch (error) {
      if (describeFailure(error).code !== 'ContainerNotFound') throw error;
      await container.createIfNotExists();
      await upload(blob, orders, etag);
    }
  };
  return {
    read: async () => (await load()).orders,
    async change(change) {
      for (let tries = 1; ; tries += 1) {
        const { orders, etag } = await load();
        const changed = change(orders);
        if (changed === orders) return orders;
        try {
          await store(changed, etag);
          return changed;
        } catch (error) {
          if (tries >= MOST_TRIES || describeFailure(error).kind !== 'conflict') throw error;
        }
      }
    },
  };
}

function download(
  blob: BlockBlobClient,
): Promise<{ readonly text: string; readonly etag: string | undefined } | undefined> {
  return unlessMissing(() => withinTime(READ_MS, (limit) => readBlobText(blob, limit)));
}

/** A damaged document may have a pause, so that it is an error and not empty. */
function parsed(json: string): StandingOrders {
  const { data } = STANDING_ORDERS.safeParse(parseJson(json));
  if (data) return data;
  throw new CmkError(
    'PauseUnreadable',
    `${REASONS.PauseUnreadable} The blob ${BLOB} of the container ${CONTROL_CONTAINER} is damaged, or was written by a newer version.`,
    'Restore an earlier version of the blob, or delete it: then there are no orders.',
  );
}

function parsedOld(json: string): StandingOrders {
  const { data } = OLD_ORDERS.safeParse(parseJson(json));
  return { ...NO_ORDERS, pauses: data?.pauses ?? [] };
}

function upload(blob: BlockBlobClient, orders: StandingOrders, etag: string | undefined): Promise<unknown> {
  const json = JSON.stringify(orders);
  const options = {
    conditions: etag ? { ifMatch: etag } : { ifNoneMatch: '*' },
    blobHTTPHeaders: { blobContentType: 'application/json; charset=utf-8' },
  };
  return withinTime(WRITE_MS, (limit) => blob.upload(json, Buffer.byteLength(json), { ...options, ...limit }));
}
