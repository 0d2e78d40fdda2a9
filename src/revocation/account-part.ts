import type { ResourceId } from '../azure/resource-id.ts';
import type { RevokedPart, Taken } from './account-record.ts';

/** What of an account can be taken away by itself, and given back. Errors are the SDK's, and `CmkError` where it is said. */
export interface AccountPart {
  readonly account: ResourceId;
  readonly part: RevokedPart;
  /** What it takes to take it away and to give it back, in a sentence. */
  readonly rights: string;
  /**
   * Everything that gives it access now, read afresh; nothing: it has none.
   *
   * @throws `CmkError` (`AccountNotRevocable`) when some of that cannot be taken away by itself
   */
  held(): Promise<readonly Taken[]>;
  /** Why it may have access although nothing shows that it has; undefined: then it has none. */
  doubt(): Promise<string | undefined>;
  /** Whether one thing is there now, read afresh. */
  isHeld(taken: Taken): Promise<boolean>;
  /** Of exactly what the record says, read afresh, when it was changed last; undefined: that is not there. */
  standing(taken: Taken): Promise<Standing | undefined>;
  /** Without effect when it is gone already. */
  take(taken: Taken): Promise<void>;
  /**
   * Gives back the same; without effect when it is there.
   *
   * @throws `CmkError` (`Refused`) for what cannot have been taken from this account
   */
  give(taken: Taken): Promise<void>;
}

export interface Standing {
  /** By Azure's clock; undefined: it does not say. */
  readonly changedOn: Date | undefined;
}

/** The tags of storage accounts, of which each is written by itself. Errors are the SDK's: read them with `describeFailure`. */
export interface AccountTags {
  /** As the account itself shows them. */
  read(account: ResourceId): Promise<Readonly<Record<string, string>>>;
  /** Sets these, in one call; the others stay. */
  merge(account: ResourceId, tags: Readonly<Record<string, string>>): Promise<void>;
  /** Takes away those that have exactly these values. */
  remove(account: ResourceId, tags: Readonly<Record<string, string>>): Promise<void>;
}

export interface AccountPorts {
  readonly tags: AccountTags;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}
