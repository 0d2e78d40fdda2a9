import type { Account, PlatformScope, Scope } from '../../accounts/account.ts';
import { findAccountKeyUse, findScopeKeyUse, type KeyUse } from '../../accounts/key-use.ts';
import { getKnown } from '../../azure/read-or-why.ts';
import { formatScopeId } from '../../azure/resource-id.ts';
import type { KeyAccess } from '../../identities/key-access.ts';
import type { AccountSubject, KeySubject, UseSubject } from '../checks/subjects.ts';
import { findLostVersion } from '../checks/use-faults.ts';

/** An encryption scope from a list, or from the index. */
export type SeenScope = Pick<Scope, 'name' | 'keyUri' | 'currentKeyId'> | PlatformScope;

/** How to read what an account uses, for one account or for a subscription. */
interface AccountReads {
  /** The same object for the same key; undefined if the vault is not managed. */
  readonly key: (use: KeyUse) => Promise<KeySubject | undefined>;
  readonly access: (account: Account, key: KeySubject) => Promise<KeyAccess | undefined>;
  readonly scopes: (account: Account, ownKey: KeySubject | undefined) => Promise<readonly SeenScope[]>;
  /** Whether a key has a version that its list lacked. Absent if the list is newer than the account. */
  readonly hasVersion?: (key: KeySubject, version: string) => Promise<boolean>;
  /** Whether it is the app's own storage. */
  readonly own: boolean;
}

/** Reads an account with everything that the checks need. */
export async function gatherAccount(account: Account, reads: AccountReads): Promise<AccountSubject> {
  const gatherUse = async (resource: string, use: KeyUse | undefined, ownKey?: KeySubject): Promise<UseSubject> => {
    const key = use && (await reads.key(use));
    const access = key && key !== ownKey ? await reads.access(account, key) : undefined;
    return { resource, use, key, access, lost: await isLost(use, key, reads) };
  };

  const itself = await gatherUse(account.id, findAccountKeyUse(account.encryption));
  const read = await reads.scopes(account, itself.key);
  const platformScopes = read.filter((scope) => scope.keyUri === undefined);

  const scopes = await Promise.all(
    read
      .filter((scope) => scope.keyUri !== undefined)
      .map((scope) => gatherUse(formatScopeId(account.id, scope.name), findScopeKeyUse(scope), itself.key)),
  );

  return { account, own: reads.own, ...itself, scopes, platformScopes };
}

async function isLost(use: KeyUse | undefined, key: KeySubject | undefined, reads: AccountReads): Promise<boolean> {
  const lost = use && findLostVersion(use, getKnown(key?.versions) ?? []);
  return lost !== undefined && key !== undefined && !(await reads.hasVersion?.(key, lost));
}
