import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { FleetChange, FleetUse } from '../fleet/fleet-index.ts';
import { accountRow } from '../fleet/fleet-keys.ts';
import type { SearchedSubscriptions } from './dependent.ts';

/** What the index says of the uses of one key that nobody comes upon who looks at accounts, and what is to become of it. */
export class OddUses {
  readonly #subscriptions: SearchedSubscriptions;
  readonly #withNone = new Set<string>();
  readonly #changes: FleetChange[] = [];

  constructor(subscriptions: SearchedSubscriptions) {
    this.#subscriptions = subscriptions;
  }

  /** Scopes after their account. */
  saw({ key, account, scope, scopes }: FleetUse): void {
    const { ids, isPart = false } = this.#subscriptions;
    const subscriptionId = parseStorageAccountId(account)?.subscriptionId ?? '';
    if (!isPart && !ids.includes(subscriptionId)) {
      // Not looked after any more: nobody moves it, and a rotation would wait for it. Should it come back, it is new.
      const of = { key, account, ...(scope === undefined ? {} : { scope }) };
      this.#changes.push({ drop: 'use', of }, { drop: 'account', account }, { drop: 'unasked', account });
      return;
    }
    const row = accountRow(account);
    if (scope === undefined && scopes === 'none') this.#withNone.add(row);
    // One that it says has no scope, of which it names one: the next look is to ask, and puts it right.
    if (scope === undefined || !this.#withNone.has(row)) return;
    this.#changes.push({ put: 'hint', of: { key, account }, scopes: 'some' });
  }

  get changes(): readonly FleetChange[] {
    return this.#changes;
  }
}
