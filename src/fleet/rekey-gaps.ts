import type { Rekey } from '../orders/standing-orders.ts';
import { count } from '../text.ts';
import type { Cause } from '../work/messages.ts';
import type { FleetIndex } from './fleet-index.ts';
import { type FleetQueue, fleetWorks } from './fleet-work.ts';
import type { NewWorkItem, WorkItems } from './work-items.ts';

interface GapPorts extends FleetQueue {
  readonly fleet: Pick<FleetIndex, 'listings' | 'accounts'>;
  readonly items: Pick<WorkItems, 'putNew'>;
  /** By id; undefined: not known. */
  inSight(): Promise<readonly string[] | undefined>;
  readonly now: () => Date;
}

/**
 * What may hide a use of the source key of an order: subscriptions that were not listed since the last move, and accounts
 * whose encryption scopes were not listed since the order began. Has both listed.
 *
 * @returns one sentence each; empty: nothing is hidden
 */
export async function findGaps(
  rekey: Rekey,
  lastMoveOn: Date,
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
    if (!listedOn || listedOn <= lastMoveOn) {
      gaps.push(`The accounts of subscription ${subscription} were not listed since the last move.`);
      if (now() > lastMoveOn) wanted.push({ ...item, kind: 'list', since: lastMoveOn });
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
