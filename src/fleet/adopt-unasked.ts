import type { FleetIndex } from './fleet-index.ts';
import { accountId } from './fleet-keys.ts';
import type { NewWorkItem, WorkItems } from './work-items.ts';

/**
 * Puts an item `scopes` in the place of the accounts that version 2 noted for that, and deletes the notes. Nothing is left
 * to do the second time. Errors are the SDK's.
 *
 * @returns the subscriptions with such accounts
 */
export async function adoptUnasked(
  fleet: Pick<FleetIndex, 'unasked' | 'write'>,
  items: Pick<WorkItems, 'putNew'>,
  now: Date,
): Promise<readonly string[]> {
  const accounts: string[] = [];
  for await (const { account } of fleet.unasked()) accounts.push(account);
  const subscriptions = [...new Set(accounts.map((account) => accountId(account).subscriptionId))];
  const cause = { by: 'upgrade', ref: '', since: now.toISOString() };
  const item = { kind: 'scopes', about: '', due: now, since: now, cause, reason: 'ScopesNotListed' } as const;
  await items.putNew(subscriptions.map((subscription): NewWorkItem => ({ ...item, subscription })));
  await fleet.write(accounts.map((account) => ({ drop: 'unasked', account })));
  return subscriptions;
}
