import { unlessMissing } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import type { Scope } from '../fleet/account.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { AccountPart } from '../revocation/account-part.ts';
import type { Taken } from '../revocation/account-record.ts';
import type { ScopeStates } from './scope-state-client.ts';

/** An encryption scope: disabled, every read and write with it is refused with 403 (Azure Storage, "Encryption scopes"). */
export function scopePart(
  account: ResourceId,
  scope: string,
  {
    accounts,
    scopeStates,
  }: { readonly accounts: Pick<StorageAccounts, 'getScope'>; readonly scopeStates: ScopeStates },
): AccountPart {
  const enabled = async (): Promise<Scope | undefined> => {
    const read = await unlessMissing(() => accounts.getScope(account, scope));
    return read?.enabled ? read : undefined;
  };
  const mine = (taken: Taken): void => {
    if (taken.kind === 'scope' && taken.name.toLowerCase() === scope.toLowerCase()) return;
    const message = `The record of the encryption scope ${scope} names something else.`;
    throw new CmkError(
      'Refused',
      message,
      'Find out who wrote the tag of the account; give back by hand what is right.',
    );
  };
  return {
    account,
    part: `scope:${scope}`,
    rights:
      'It takes Microsoft.Storage/storageAccounts/encryptionScopes/write on the account; or run `cmk account revoke` on a sign-in that has it.',
    held: async () => ((await enabled()) ? [{ kind: 'scope', name: scope }] : []),
    doubt: async () => undefined,
    async isHeld(taken) {
      mine(taken);
      return (await enabled()) !== undefined;
    },
    async standing(taken) {
      mine(taken);
      const read = await enabled();
      return read && { changedOn: read.changedOn };
    },
    async take(taken) {
      mine(taken);
      await scopeStates.set(account, scope, 'Disabled');
    },
    async give(taken) {
      mine(taken);
      await scopeStates.set(account, scope, 'Enabled');
    },
  };
}
