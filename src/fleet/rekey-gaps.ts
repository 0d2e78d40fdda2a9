import type { Rekey } from '../orders/standing-orders.ts';
import { count } from '../text.ts';
import type { Cause } from '../work/messages.ts';
import type { FleetIndex } from './fleet-index.ts';
import { type FleetQueue, fleetWorks } from './fleet-work.ts';
import type { NewWorkItem, WorkItems } from './work-items.ts';

interface GapPorts extends FleetQueue {
  readonly fleet: Pick<FleetIndex, 'listings' | 'accounts'>;
  readonly items: Pick<WorkItems, 'of' | 'putNew'>;
  /** Ids of the subscriptions that the app manages; undefined: not known. */
  inSight(): Promise<readonly string[] | undefined>;
  readonly now: () => Date;
}

/**
 * Finds where a use of an order's source key may be unseen: subscriptions that were not listed since `since`, and accounts
 * whose encryption scopes were not listed since the order began, for which it requests both lists; and subscriptions whose
 * worker died, as what it had in flight may be on the source key again, or moved there by another order.
 *
 * @returns one sentence for each gap
 */
export async function findGaps(
  rekey: Rekey,
  since: Date,
  { fleet, items, inSight, send, now }: GapPorts,
): Promise<readonly string[]> {
  const subscriptions = await inSight();
  if (!subscriptions) return ['Which subscriptions there are cannot be read.'];
  const listings = await fleet.listings();
  const gaps: string[] = [];
  const wanted: NewWorkItem[] = [];
  const cause: Cause = { by: 'rekey', ref: rekey.id, since: now().toISOString() };
  for (const subscription of subscriptions) {
    const item = { subscription, about: '', due: now(), cause };
    const listedOn = listings.get(subscription.toLowerCase());
    if (!listedOn || listedOn <= since) {
      gaps.push(`The accounts of subscription ${subscription} were not listed two minutes after the last move.`);
      if (now() > since) wanted.push({ ...item, kind: 'list', since });
    }
    if ((await items.of(subscription)).some(({ kind }) => kind === 'verify')) {
      gaps.push(`A worker of subscription ${subscription} died, and what it had in flight is not verified yet.`);
    }
    let unlisted = 0;
    for await (const { scopesReadOn = '' } of fleet.accounts(subscription)) {
      if (scopesReadOn < rekey.startedOn) unlisted += 1;
    }
    if (unlisted === 0) continue;
    const whose = `the encryption scopes of ${count(unlisted, 'account')}`;
    gaps.push(`In subscription ${subscription}, ${whose} were not listed since the order began.`);
    wanted.push({ ...item, kind: 'scopes', since: new Date(rekey.startedOn), fresh: true });
  }
  await items.putNew(wanted);
  const named = new Set(wanted.map(({ subscription }) => subscription));
  for (const work of fleetWorks([...named], cause)) await send(work);
  return gaps;
}
