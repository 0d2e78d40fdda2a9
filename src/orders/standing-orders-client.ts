import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlContainer, ONE_RETRY } from '../azure/app-storage.ts';
import { blobDocuments } from '../azure/documents.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { CmkError } from '../errors.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { NO_ORDERS, PAUSE, STANDING_ORDERS, type StandingOrders } from './standing-orders.ts';

/** Container of standing orders, in the control zone of the app's own storage. */
export const CONTROL_CONTAINER = 'cmk-control';
const BLOB = 'orders.json';
/** What version 2 wrote; it is read until the first change. */
const OLD_BLOB = 'rollout.json';
/** Short, as moves wait for it. Milliseconds. */
const TIMEOUT_MS = 4_000;
/** Time to live of the orders that views show. Milliseconds. */
const RECENT_MS = 5_000;

/** A damaged document may have a pause, so that it is an error and not empty. */
const ORDERS: z.ZodType<StandingOrders> = STANDING_ORDERS.catch(() => {
  throw new CmkError(
    'PauseUnreadable',
    `${REASONS.PauseUnreadable} The blob ${BLOB} of the container ${CONTROL_CONTAINER} is damaged, or was written by a newer version.`,
    'Restore an earlier version of the blob, or delete it: then there are no orders.',
  );
});

/** Pauses of version 2. Its orders to go on were about rollouts that begin anew. */
const OLD_ORDERS = z.object({ pauses: z.array(PAUSE) }).catch({ pauses: [] });

/** One small document, written with its ETag. Errors are the SDK's, or `PauseUnreadable` where it is damaged. */
export interface OrdersStore {
  read(): Promise<StandingOrders>;
  /** For a view: at most some seconds old. Never rejects: orders that cannot be read count as none; `GET /now` says so. */
  recent(): Promise<StandingOrders>;
  /** @param change may be called several times, also with what it returned before: it has to recognise its own */
  change(change: (orders: StandingOrders) => StandingOrders): Promise<StandingOrders>;
}

/** The client is made when it is first needed. */
export function createOrdersStore(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): OrdersStore {
  const container = controlContainer(settings, credential, CONTROL_CONTAINER, ONE_RETRY);
  const orders = blobDocuments(container, ORDERS, TIMEOUT_MS);
  const old = blobDocuments(container, OLD_ORDERS, TIMEOUT_MS);
  const missing = async (): Promise<StandingOrders> => ({ ...NO_ORDERS, ...(await old.read(OLD_BLOB))?.value });
  const read = async () => (await orders.read(BLOB))?.value ?? missing();
  const cache = new ReadCache<StandingOrders>(RECENT_MS);
  return {
    read,
    recent: () =>
      cache.read(BLOB, read).then(
        ({ value }) => value,
        () => NO_ORDERS,
      ),
    change: (change) => orders.change(BLOB, change, missing).finally(() => cache.invalidate(BLOB)),
  };
}
