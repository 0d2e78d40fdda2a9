import type { FleetChange, FleetUse } from '../fleet/fleet-index.ts';
import { accountRow } from '../fleet/fleet-keys.ts';

/** Accounts that the index says have no encryption scope of which it names one: the next look is to ask, and puts it right. */
export class DeniedScopes {
  readonly #withNone = new Set<string>();
  readonly #denied = new Map<string, FleetChange>();

  /** Uses of one key, scopes after their account. */
  saw({ key, account, scope, scopes }: FleetUse): void {
    const row = accountRow(account);
    if (scope === undefined && scopes === 'none') this.#withNone.add(row);
    if (scope === undefined || !this.#withNone.has(row)) return;
    this.#denied.set(row, { put: 'hint', of: { key, account }, scopes: 'some' });
  }

  get changes(): readonly FleetChange[] {
    return [...this.#denied.values()];
  }
}
