import { getLastName } from '../azure/resource-id.ts';
import { compareText } from '../formats/text.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import type { UseRow } from '../index/use-row.ts';
import { getVersionInUse } from '../keys/version-in-use.ts';
import { listOwnStorage } from '../settings/own-storage.ts';
import type { SearchSettings } from '../settings/settings.ts';
import type { KeyDependents, KnownAccount } from './dependent.ts';
import { isStorageAccount } from './other-dependents.ts';

/** Collects the accounts that use a key from the rows of the fleet index. */
export class KnownAccounts {
  readonly #accounts = new Map<string, KnownAccount>();

  add(use: UseRow): void {
    const { account: id, location, scope, mode } = use;
    const row = formatAccountRow(id);
    const known = this.#accounts.get(row);
    const account = known ?? newAccount(id, location);
    this.#accounts.set(row, account);

    const version = getVersionInUse(use);
    if (scope === undefined) Object.assign(account, { mode, version });
    else account.scopes.push({ name: scope, mode, version });
  }

  /** By ARM id. */
  all(): KnownAccount[] {
    return [...this.#accounts.values()].sort((a, b) => compareText(a.id, b.id));
  }
}

function newAccount(id: string, region: string): KnownAccount {
  return { id, name: getLastName(id), region, mode: 'scopesOnly', version: undefined, scopes: [] };
}

/** Whether one of the accounts that the app runs on is among the dependents. */
export function includesOwnStorage(
  { accounts, otherResources }: Pick<KeyDependents, 'accounts' | 'otherResources'>,
  settings: Pick<SearchSettings, 'storage' | 'cloud'>,
): boolean {
  const own = listOwnStorage(settings);
  if (own === undefined || own === 'local') return false;
  const storage = [...accounts, ...otherResources.filter(isStorageAccount)];
  return storage.some(({ name }) => own.includes(name.toLowerCase()));
}
