import { createHash } from 'node:crypto';
import { splitScope } from '../../azure/resource-id.ts';
import type { Account } from '../../fleet/account.ts';
import type { ReportBefore } from '../report.ts';

/**
 * Maximum number of accounts per subscription whose encryption scopes one check lists. Each account needs a separate
 * call. The Storage resource provider permits 100 lists per five minutes, subscription and region, and moves need them
 * too.
 */
export const SCOPE_LISTS = 40;

/**
 * Selects the accounts whose encryption scopes this check lists: all accounts of a small subscription, and a rotating
 * share of a large subscription. Accounts with a finding on a scope are always listed.
 */
export function scopesDue(previous: ReportBefore | undefined): (account: Account) => boolean {
  const round = nextRound(previous);
  const shares = new Map(
    (previous?.coverage.subscriptions ?? []).map(({ id, accounts }) => [
      id,
      Math.max(1, Math.ceil(accounts / SCOPE_LISTS)),
    ]),
  );
  const withFindings = new Set(
    (previous?.findings ?? []).flatMap(({ resource }) => {
      const { account, scope } = splitScope(resource);
      return scope === undefined ? [] : [account.toLowerCase()];
    }),
  );
  const listed = new Map<string, number>();
  return ({ id, subscriptionId }) => {
    const share = shares.get(subscriptionId);
    const lists = listed.get(subscriptionId) ?? 0;
    // The size of a new subscription is unknown, so its first accounts are listed.
    const isDue = share === undefined ? lists < SCOPE_LISTS : slot(id, share) === round % share;
    if (!isDue && !withFindings.has(id.toLowerCase())) return false;
    listed.set(subscriptionId, lists + 1);
    return true;
  };
}

export function nextRound(previous: ReportBefore | undefined): number {
  return (previous?.coverage.round ?? -1) + 1;
}

function slot(id: string, slots: number): number {
  return createHash('sha256').update(id.toLowerCase()).digest().readUInt32BE(0) % slots;
}
