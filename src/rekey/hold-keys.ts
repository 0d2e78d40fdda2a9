import { CmkError } from '../errors.ts';
import { conflictsOfOrder, isEnded, type RekeyData, type RekeyOrder, type RekeyStore } from '../fleet/rekey-order.ts';
import { REASONS } from '../reasons.ts';

/** Others begin or end with the same keys at the same moment: it is looked at again so often. */
const TRIES = 5;

/**
 * Lets an order stand, a new one or one that had ended, and gives it both its keys with the same write. A key takes part in one
 * order at a time, from or to, until that has ended: so nothing goes in a circle, and for each account there is one answer
 * where it belongs. Looking alone does not hold it: two that begin together each see nobody.
 *
 * @returns undefined when the order itself was changed since it was read
 * @throws {@link CmkError} `RekeyConflict`; errors of the SDK
 */
export async function standWithKeys(
  order: RekeyData & { readonly etag?: string },
  {
    rekeys,
    now,
  }: { readonly rekeys: Pick<RekeyStore, 'holders' | 'orders' | 'order' | 'stand'>; readonly now: () => Date },
): Promise<RekeyOrder | undefined> {
  for (let n = 0; n < TRIES; n += 1) {
    // In this order: whoever begins after the holders were read changes them, and then nothing is written here.
    const holders = await rekeys.holders([order.from, order.to]);
    const others = conflictsOfOrder(order, await rekeys.orders(), now());
    if (others.length > 0) throw conflict(others);
    const standing = await rekeys.stand(order, holders);
    if (standing) return standing;
    const found = await rekeys.order(order.id);
    if (found?.change !== undefined && found.change === order.change) return found; // the answer was lost
    if (found?.etag !== order.etag) return undefined;
  }
  throw conflict([]);
}

export function conflict(others: readonly RekeyOrder[]): CmkError {
  const which = others.length > 0 ? ` (${others.map(({ id }) => id).join(', ')})` : '';
  const text = `${REASONS.RekeyConflict.slice(0, -1)}${which}.`;
  return new CmkError('RekeyConflict', text, wayOut(others[0]));
}

/** What to do about an order that is in the way. */
export function wayOut(other: RekeyOrder | undefined): string {
  if (!other) return 'Look at the re-keys there are, and start it again.';
  if (isEnded(other)) return 'It was just ended, and something may still arrive: start it again in ten minutes.';
  return `Let it end first, or end it: cmk rekey cancel ${other.id} --keep`;
}
