import type { TokenCredential } from '@azure/identity';
import type { z } from 'zod';
import { ONE_RETRY, openControlContainer } from '../azure/app-storage.ts';
import { createBlobDocuments } from '../azure/blobs.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { CmkError } from '../errors/errors.ts';
import { REASONS } from '../errors/reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { NO_ORDERS, STANDING_ORDERS, type StandingOrders } from './standing-orders.ts';

/** Container of standing orders, in the control zone of the app's own storage. */
export const CONTROL_CONTAINER = 'cmk-control';
const BLOB = 'orders.json';
/** A short deadline, since moves wait for the read. Milliseconds. */
const TIMEOUT_MS = 4_000;
/** Time to live of the orders in views. Milliseconds. */
const RECENT_MS = 5_000;

/** A damaged document may contain a pause, so the read fails. */
const ORDERS: z.ZodType<StandingOrders> = STANDING_ORDERS.catch(() => {
  throw new CmkError(
    'PauseUnreadable',
    `${REASONS.PauseUnreadable} The blob ${BLOB} of the container ${CONTROL_CONTAINER} is damaged, or a newer version wrote it.`,
    'Restore an earlier version of the blob, or delete it, which deletes all orders.',
  );
});

/** A small document, written with its ETag. Methods throw the SDK's errors, or `PauseUnreadable` if damaged. */
export interface OrdersStore {
  read(): Promise<StandingOrders>;
  /** Returns recent orders for a view. Never rejects: returns no orders after an error, which `GET /now` shows. */
  recent(): Promise<StandingOrders>;
  /** @param change may be called again with its own result, which it must recognize */
  change(change: (orders: StandingOrders) => StandingOrders): Promise<StandingOrders>;
}

/** Creates the client on first use. */
export function createOrdersStore(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): OrdersStore {
  const container = openControlContainer(settings, credential, CONTROL_CONTAINER, ONE_RETRY);
  const orders = createBlobDocuments(container, ORDERS, TIMEOUT_MS);
  const read = async () => (await orders.read(BLOB))?.value ?? NO_ORDERS;
  const cache = new ReadCache<StandingOrders>(RECENT_MS);

  return {
    read,
    recent: () =>
      cache.read(BLOB, read).then(
        ({ value }) => value,
        () => NO_ORDERS,
      ),
    change: (change) => orders.change(BLOB, change, async () => NO_ORDERS).finally(() => cache.invalidate(BLOB)),
  };
}
