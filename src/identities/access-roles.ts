import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Standing } from '../revocation/account-part.ts';
import type { Taken, TakenAccess } from '../revocation/account-record.ts';

/** The roles by which identities reach one key, in whichever kind of vault. Errors are the SDK's. */
export interface AccessRoles<T extends TakenAccess = TakenAccess> {
  /** What it takes to take them away and to give them back, in a sentence. */
  readonly rights: string;
  /**
   * All by which a principal reaches the key, read afresh.
   *
   * @throws {@link CmkError} `AccountNotRevocable` when some of it cannot be taken away by itself
   */
  heldBy(principalId: string): Promise<readonly T[]>;
  /** Why somebody who has none of them may reach the key all the same; undefined: he does not. */
  doubt(): Promise<string | undefined>;
  /** Whether it is one of the key's vault. */
  isHere(taken: Taken): taken is T;
  /** It is there, and is what the record says: an edited one may have the name of somebody else's. */
  find(taken: T): Promise<Standing | undefined>;
  /** Whether the same principal has the role at the same place, under whatever name. */
  isAssigned(taken: T): Promise<boolean>;
  /** Without effect when it is gone. */
  remove(taken: T): Promise<void>;
  /** Under the very same name; without effect when somebody gave it under another one. */
  giveBack(taken: T): Promise<void>;
}

export function isSamePrincipal(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

export function notRevocable(why: string, { vault, name }: ManagedKey): CmkError {
  return new CmkError(
    'AccountNotRevocable',
    `${why} Nothing was changed.`,
    `Revoke the key ${vault.name}/${name}, or an encryption scope of the account; or take the access away by hand.`,
  );
}
