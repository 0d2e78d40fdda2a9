import { errorText } from '../../azure/failure.ts';
import type { Account } from '../../fleet/account.ts';
import { accountRow } from '../../fleet/fleet-keys.ts';
import { type UseRow, type UseRows, versionOfRow } from '../../fleet/use-row.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../../keys/key-identifier.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { AccountSubject, SeenScope } from '../checks/subjects.ts';

/** The rows of one account: its own use, and the uses of its encryption scopes. */
interface AccountRows {
  own?: UseRow;
  readonly scopes: UseRow[];
}

/** By {@link accountRow} of the account. */
type KeyRows = ReadonlyMap<string, AccountRows>;

/** The use rows of one subscription. Reads the rows of a key when the first account uses it. */
export class IndexRows {
  readonly #subscription: string;
  readonly #rows: Pick<UseRows, 'of'>;
  readonly #byKey = new Map<string, Promise<KeyRows>>();
  #failure: string | undefined;

  constructor(subscription: string, rows: Pick<UseRows, 'of'>) {
    this.#subscription = subscription;
    this.#rows = rows;
  }

  /** The block of an account's last move, if the account itself uses the key. */
  async blockOf(account: Account, key: ManagedKey): Promise<AccountSubject['blocked']> {
    const { state, reason } = (await this.#ofAccount(account, key))?.own ?? {};
    return state === 'failed' && (reason === 'ScopeLocked' || reason === 'DeniedByPolicy') ? reason : undefined;
  }

  /** Scopes of an account on its own key, according to the index. */
  async scopesOf(account: Account, key: ManagedKey): Promise<readonly SeenScope[]> {
    const rows = await this.#ofAccount(account, key);
    return rows?.scopes.flatMap((row) => scopeOf(row) ?? []) ?? [];
  }

  /** Why the index cannot be read; undefined if it can. */
  get failure(): string | undefined {
    return this.#failure;
  }

  async #ofAccount(account: Account, key: ManagedKey): Promise<AccountRows | undefined> {
    const reading = this.#byKey.get(key.id) ?? this.#read(key);
    this.#byKey.set(key.id, reading);
    return (await reading).get(accountRow(account.id));
  }

  async #read(key: ManagedKey): Promise<KeyRows> {
    const rows = new Map<string, AccountRows>();
    try {
      for await (const row of this.#failure === undefined ? this.#rows.of(key.id, this.#subscription) : []) {
        const name = accountRow(row.account);
        const ofAccount = rows.get(name) ?? { scopes: [] };
        rows.set(name, ofAccount);
        if (row.scope === undefined) ofAccount.own = row;
        else ofAccount.scopes.push(row);
      }
    } catch (error) {
      this.#failure ??= errorText(error);
    }
    return rows;
  }
}

function scopeOf(row: UseRow): SeenScope | undefined {
  const key = parseKeyIdentifier(row.key);
  if (!key || row.scope === undefined) return undefined;
  return { name: row.scope, keyUri: formatKeyIdentifier(key, row.pinned), currentKeyId: versionOfRow(row) };
}
