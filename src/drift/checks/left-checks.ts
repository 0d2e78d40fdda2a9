import type { Account } from '../../accounts/account.ts';
import type { KeyUse } from '../../accounts/key-use.ts';
import { getKnown } from '../../azure/read-or-why.ts';
import { findVersion, getUsability, type KeyVersion } from '../../keys/key-versions.ts';
import { findRequirement, findTag, isOptedOut } from '../../settings/requirement.ts';
import type { Found, FoundCause } from './check.ts';
import { formatEncryptAccount, formatMoveAccount, formatReleaseContested } from './commands.ts';
import { describeContestFix } from './contest-fix.ts';
import type { AccountSubject, KeySubject, Rules } from './subjects.ts';

/** Account tag with the key that the account should use: `vault/key` or a key identifier. */
export const KEY_TAG = 'cmk-key';

/** Whether an account must use a customer-managed key, because of its tag or CMK_REQUIRE. */
export function hasToUseKey(account: Account, { drift }: Rules): boolean {
  return findTag(account.tags, KEY_TAG) !== undefined || findRequirement(account, drift.require) !== undefined;
}

/** The app never moves an account back, so an operator or a template did. */
export function findVersionReverted(subject: AccountSubject, { now }: Rules): Found | undefined {
  const { account, use, before } = subject;
  if (!isBackOnOlder(subject, now)) return undefined;
  return {
    is: `It is pinned to ${use?.pinned}, and was pinned to the newer ${before}.`,
    shouldBe: 'It stays on the newer version. To replace a version, rotate the key.',
    command: formatMoveAccount(account),
    cause: findPinnedBack(subject, now),
  };
}

/** The cause of findings after a pin to an older version by an operator or a tool; undefined if none. */
export function findPinnedBack(subject: AccountSubject, now: Date): FoundCause | undefined {
  const { account, contest } = subject;
  if (contest) return { reason: 'ContestedChange', about: [account.id] };
  return isBackOnOlder(subject, now) ? { reason: 'VersionReverted', about: [account.id] } : undefined;
}

/** Whether the account could go back to its former, newer version. An account cannot move to a version that is disabled. */
function isBackOnOlder({ use, key, before }: AccountSubject, now: Date): boolean {
  if (before === undefined || !isReverted(use, key, before)) return false;

  const newer = findVersion(readableVersions(key), before);
  return newer !== undefined && getUsability(newer, now) === 'Usable';
}

/** The app repaired the account twice within an hour, and it was changed again. */
export function findContestedChange({ account, use, contest }: AccountSubject): Found | undefined {
  if (!contest) return undefined;

  const { by, since, until } = contest;
  const who = by.name ?? by.objectId ?? 'An unnamed caller';
  const client = by.client === undefined ? '' : ` with the client ${by.client}`;
  const is = use
    ? `uses ${use.pinned ?? 'the version that Storage chooses'} of ${use.keyName}`
    : 'uses no key of Key Vault';

  return {
    is: `${who}${client} changed it on ${since}, after the app had repaired it twice within an hour; it ${is}. The app does not change it until ${until}.`,
    shouldBe: `Only one party changes it: the app keeps it on the newest version of its key, or it is exempt. ${describeContestFix(contest, use)}`,
    command: formatReleaseContested(account),
  };
}

/** Whether an account is pinned to an older version than before. */
export function isReverted(use: KeyUse | undefined, key: KeySubject | undefined, before: string): boolean {
  if (use?.pinned === undefined) return false;

  const versions = readableVersions(key);
  const present = findVersion(versions, use.pinned);
  const former = findVersion(versions, before);
  return present !== undefined && former !== undefined && present.createdOn < former.createdOn;
}

function readableVersions(key: KeySubject | undefined): readonly KeyVersion[] {
  return getKnown(key?.versions) ?? [];
}

export function findNoLongerCustomerManaged({ account, use, left }: AccountSubject, rules: Rules): Found | undefined {
  if (use || !left || isOptedOut(account.tags, left.lastSeen)) return undefined;

  // NotCustomerManaged reports an account that must use a key, regardless of the opt-out tag.
  if (hasToUseKey(account, rules)) return undefined;

  const { key } = left.key;
  const [identity, another] = account.userAssignedIdentities;

  return {
    is: `It uses Microsoft-managed keys, and used ${key.id} until ${left.lastSeen.toISOString()} or later.`,
    shouldBe: 'It uses its previous key, or an operator has recorded that it opted out.',
    // With several identities, it is unknown which one the account used.
    command: another === undefined ? formatEncryptAccount(account, key, identity, left.pinned) : undefined,
    cause: { about: [key.id] },
  };
}
