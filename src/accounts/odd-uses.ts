import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { FleetChange, FleetUse } from '../fleet/fleet-index.ts';
import { accountRow } from '../fleet/fleet-keys.ts';
import type { SearchedSubscriptions } from './dependent.ts';

/** What the index says of the uses of one key that a look at them has to put right before anybody can come upon it. */
export class OddUses {
  readonly #subscriptions: SearchedSubscriptions;
  readonly #now: Date;
  readonly #withNone = new Set<string>();
  readonly #denied = new Map<string, FleetChange>();
  readonly #outcomes: FleetChange[] = [];

  constructor(subscriptions: SearchedSubscriptions, now: Date) {
    this.#subscriptions = subscriptions;
    this.#now = now;
  }

  /** Uses of one key, scopes after their account. */
  saw(use: FleetUse): void {
    this.#sawWhere(use);
    const { key, account, scope, scopes } = use;
    const row = accountRow(account);
    // One that it says has no scope, of which it names one: the next look is to ask.
    if (scope === undefined && scopes === 'none') this.#withNone.add(row);
    if (scope === undefined || !this.#withNone.has(row)) return;
    this.#denied.set(row, { put: 'hint', of: { key, account }, scopes: 'some' });
  }

  /**
   * A use where nobody looks, as its subscription is switched off for instance, is kept: a version that it needs must not be
   * retired. But it says so, since a rotation would wait for it. When it is back it waits as if nobody had looked.
   */
  #sawWhere({ key, account, scope, outcome }: FleetUse): void {
    const { ids, isPart = false } = this.#subscriptions;
    const isIn = ids.includes(parseStorageAccountId(account)?.subscriptionId ?? '');
    const isSaid = outcome?.reason === 'SubscriptionOutOfSight';
    if (isIn !== isSaid || (isPart && !isIn)) return;
    const of = { key, account, ...(scope === undefined ? {} : { scope }) };
    const said = { result: 'done', reason: 'SubscriptionOutOfSight', at: this.#now.toISOString() } as const;
    this.#outcomes.push({ put: 'outcome', of, outcome: isIn ? undefined : said });
  }

  get changes(): readonly FleetChange[] {
    return [...this.#denied.values(), ...this.#outcomes];
  }
}
