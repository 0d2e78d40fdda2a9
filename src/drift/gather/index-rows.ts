import { describe, describeFailure, type Failure } from '../../azure/failure.ts';
import type { Account } from '../../fleet/account.ts';
import { accountRow } from '../../fleet/fleet-keys.ts';
import { scopeKeyUse } from '../../fleet/key-use.ts';
import { observe } from '../../fleet/observe.ts';
import { useOfAccount } from '../../fleet/read-use.ts';
import { areDifferent, type UseRow, type UseRows, versionOfRow } from '../../fleet/use-row.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../../keys/key-identifier.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { AccountSubject, SeenScope } from '../checks/subjects.ts';

/** Where the index differs from what was seen. */
export interface IndexDifference {
  /** In accounts of the subscription. */
  readonly list: boolean;
  /** In encryption scopes on these keys. */
  readonly keys: readonly string[];
  /** Why it could not be compared. */
  readonly unread?: string;
}

/** The rows of one account: its own use, and those of its encryption scopes. */
interface AccountRows {
  own?: UseRow;
  readonly scopes: UseRow[];
}

/** By {@link accountRow} of the account. */
type KeyRows = ReadonlyMap<string, AccountRows>;

/**
 * The use rows of one subscription beside what a list of its accounts shows. It only compares: the worker of the
 * subscription writes rows. A key's rows are read when the first account uses the key.
 */
export class IndexRows {
  readonly #subscription: string;
  readonly #rows: Pick<UseRows, 'of'>;
  readonly #startedOn: Date;
  readonly #byKey = new Map<string, Promise<KeyRows>>();
  readonly #seen = new Set<string>();
  readonly #scopeKeys = new Set<string>();
  #differs = false;
  #failure: Failure | undefined;

  /** @param startedOn when the list began, by the clock of the rows */
  constructor(subscription: string, rows: Pick<UseRows, 'of'>, startedOn: Date) {
    this.#subscription = subscription;
    this.#rows = rows;
    this.#startedOn = startedOn;
  }

  /** Compares an account that uses the key itself. @returns the block that its last move met */
  async compareAccount(account: Account, key: ManagedKey): Promise<AccountSubject['blocked']> {
    this.#seen.add(accountRow(account.id));
    const row = (await this.#ofAccount(account, key))?.own;
    const observation = observe(row, useOfAccount(account, this.#startedOn), []);
    if (!observation.outdated && observation.row) {
      if (!row || observation.found || observation.changed || areDifferent(row, observation.row)) this.#differs = true;
    }
    const { state, reason } = row ?? {};
    return state === 'failed' && (reason === 'ScopeLocked' || reason === 'DeniedByPolicy') ? reason : undefined;
  }

  /** Compares an encryption scope that was listed; one that has no row yet is for the worker's own list of scopes. */
  async compareScope(account: Account, { name, ...scope }: SeenScope, key: ManagedKey): Promise<void> {
    const rows = (await this.#ofAccount(account, key))?.scopes ?? [];
    const row = rows.find((one) => one.scope?.toLowerCase() === name.toLowerCase());
    if (!row) return;
    const about = { account: account.id, scope: name, location: account.location };
    const observation = observe(row, { use: scopeKeyUse(scope), stamp: '', startedOn: this.#startedOn, about }, []);
    if (!observation.outdated && (observation.found || observation.changed)) this.#scopeKeys.add(key.id);
  }

  /** Scopes of an account on its own key, as the index has them. */
  async scopesOf(account: Account, key: ManagedKey): Promise<readonly SeenScope[]> {
    const rows = await this.#ofAccount(account, key);
    return rows?.scopes.flatMap((row) => scopeOf(row) ?? []) ?? [];
  }

  /**
   * What the worker is to read again.
   *
   * @param isWhole every account of the subscription was compared
   */
  async result(isWhole: boolean): Promise<IndexDifference> {
    for (const rows of isWhole ? this.#byKey.values() : []) {
      for (const [name, { own }] of await rows) if (own && !this.#seen.has(name)) this.#differs = true;
    }
    if (this.#failure) return { list: false, keys: [], unread: describe(this.#failure) };
    return { list: this.#differs, keys: [...this.#scopeKeys] };
  }

  async #ofAccount(account: Account, key: ManagedKey): Promise<AccountRows | undefined> {
    const reading = this.#byKey.get(key.id) ?? this.#read(key);
    this.#byKey.set(key.id, reading);
    return (await reading).get(accountRow(account.id));
  }

  async #read(key: ManagedKey): Promise<KeyRows> {
    const rows = new Map<string, AccountRows>();
    try {
      for await (const row of this.#failure ? [] : this.#rows.of(key.id, this.#subscription)) {
        const name = accountRow(row.account);
        const ofAccount = rows.get(name) ?? { scopes: [] };
        rows.set(name, ofAccount);
        if (row.scope === undefined) ofAccount.own = row;
        else ofAccount.scopes.push(row);
      }
    } catch (error) {
      this.#failure ??= describeFailure(error);
    }
    return rows;
  }
}

function scopeOf(row: UseRow): SeenScope | undefined {
  const key = parseKeyIdentifier(row.key);
  if (!key || row.scope === undefined) return undefined;
  return { name: row.scope, keyUri: formatKeyIdentifier(key, row.pinned), currentKeyId: versionOfRow(row) };
}
