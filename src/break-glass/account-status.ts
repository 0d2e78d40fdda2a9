import { errorText } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import type { Account } from '../fleet/account.ts';
import { accountKeyUse } from '../fleet/key-use.ts';
import type { RouteKey } from '../http/access.ts';
import { readRevocable } from '../identities/revocable.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import {
  type AccountRevocation,
  type AccountRevocations,
  readAccountRevocations,
} from '../revocation/account-record.ts';
import { accountRecordView } from '../revocation/record-view.ts';
import { type AccountLookServices, orUnreadable } from './account-of-call.ts';
import type { AccountStatusResponse } from './account-schemas.ts';

/** An account as it was read, with what is revoked below its key. */
interface AccountLook extends AccountRevocations {
  readonly account: Account;
  /** Of the account itself, in a managed vault. */
  readonly key: ManagedKey | undefined;
}

export async function lookAtAccount(
  id: Parameters<AccountLookServices['accounts']['get']>[0],
  services: AccountLookServices & { readonly now: () => Date },
): Promise<AccountLook> {
  const account = await orUnreadable(() => services.accounts.get(id));
  const use = accountKeyUse(account.encryption);
  const key = use && services.settings.vaults.keyOf(use);
  return { account, key, ...readAccountRevocations(account.tags, services.now()) };
}

/**
 * What is revoked below the key of an account, and whether that holds. Never throws once the account was read.
 *
 * @param reaches whether the caller may see what is on a key: an encryption scope can be on another than its account
 */
export async function accountStatus(
  { account, key, open, unbelieved }: AccountLook,
  reaches: (key: RouteKey) => boolean,
  services: AccountLookServices,
): Promise<AccountStatusResponse> {
  const warnings: string[] = [];
  const held = async ({ part, id }: AccountRevocation): Promise<boolean | 'unknown' | undefined> => {
    try {
      const revocable = await readRevocable(account, part, (use) => services.settings.vaults.keyOf(use), services);
      if (!revocable) throw new CmkError('AccountNotManaged', 'It is on no managed key any more.', '');
      if (!reaches({ vault: revocable.key.vault.name, key: revocable.key.name })) return undefined;
      if ((await revocable.part.held()).length > 0) return false;
      const doubt = await revocable.part.doubt();
      if (doubt !== undefined) warnings.push(`Whether revocation ${id} holds is not proved: ${doubt}`);
      return doubt === undefined ? true : 'unknown';
    } catch (error) {
      const why = errorText(error);
      warnings.push(`Whether revocation ${id} holds could not be read: ${why}`);
      return 'unknown';
    }
  };
  const all = await Promise.all(open.map(async (one) => ({ one, holds: await held(one) })));
  const revocations = all.flatMap(({ one, holds }) =>
    holds === undefined ? [] : [{ ...accountRecordView(one), held: holds }],
  );
  return {
    account: account.id,
    ...(key ? { key: key.id } : {}),
    revocations,
    unbelieved: [...unbelieved],
    warnings,
  };
}
