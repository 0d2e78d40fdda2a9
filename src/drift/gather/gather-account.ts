import { known } from '../../azure/read-or-why.ts';
import type { Account, PlatformScope } from '../../fleet/account.ts';
import { accountKeyUse, type KeyUse, scopeKeyUse } from '../../fleet/key-use.ts';
import { versionInUse } from '../../fleet/plan.ts';
import type { KeyAccess } from '../../identities/key-access.ts';
import { findVersion } from '../../keys/key-versions.ts';
import type { AccountSubject, KeySubject, ScopeSubject, SeenScope } from '../checks/subjects.ts';

/** How to read what an account uses, for one account or for a subscription. */
interface AccountReads {
  /** The same object for the same key; undefined if the vault is not managed. */
  readonly key: (use: KeyUse) => Promise<KeySubject | undefined>;
  readonly access: (account: Account, key: KeySubject) => Promise<KeyAccess | undefined>;
  readonly scopes: (
    account: Account,
    ownKey: KeySubject | undefined,
  ) => Promise<readonly (SeenScope | PlatformScope)[]>;
  /** Whether a key has a version that its list lacked. Absent if the list is newer than the account. */
  readonly hasVersion?: (key: KeySubject, version: string) => Promise<boolean>;
  /** Whether it is the app's own storage. */
  readonly isOwn: (account: Account) => boolean;
}

/** Reads an account with everything that the checks need. */
export async function gatherAccount(account: Account, reads: AccountReads): Promise<AccountSubject> {
  const use = accountKeyUse(account.encryption);
  const key = use && (await reads.key(use));
  const read = await reads.scopes(account, key);
  const platformScopes = read.filter((scope) => scope.keyUri === undefined);
  const scopes = await Promise.all(
    read.filter(usesVault).map(async (scope): Promise<ScopeSubject> => {
      const scopeUse = scopeKeyUse(scope);
      const scopeKey = scopeUse && (await reads.key(scopeUse));
      const access = scopeKey && scopeKey !== key ? await reads.access(account, scopeKey) : undefined;
      return { scope, use: scopeUse, key: scopeKey, access, lost: await isLost(scopeUse, scopeKey, reads) };
    }),
  );
  const access = key && (await reads.access(account, key));
  const lost = await isLost(use, key, reads);
  return { account, own: reads.isOwn(account), use, key, access, lost, scopes, platformScopes };
}

/** Whether a scope uses a key of Key Vault. */
function usesVault(scope: SeenScope | PlatformScope): scope is SeenScope {
  return scope.keyUri !== undefined;
}

/** Key Vault lists every version of a key, and never deletes a single version. */
async function isLost(use: KeyUse | undefined, key: KeySubject | undefined, reads: AccountReads): Promise<boolean> {
  const version = use && versionInUse(use);
  const versions = known(key?.versions) ?? [];
  if (!key || !version || versions.length === 0 || findVersion(versions, version)) return false;
  return !(await reads.hasVersion?.(key, version));
}
