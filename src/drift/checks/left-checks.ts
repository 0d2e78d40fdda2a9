import { known } from '../../azure/read-or-why.ts';
import { scopeResource } from '../../azure/resource-id.ts';
import type { KeyUse } from '../../fleet/key-use.ts';
import { readLegacyRevocations } from '../../identities/legacy-revocation.ts';
import { findVersion } from '../../keys/key-versions.ts';
import { isOptedOut } from '../../settings/opt-out.ts';
import { requirementOf, tagOf } from '../../settings/requirement.ts';
import type { Found, FoundCause } from './check.ts';
import { encryptAccount, moveAccount, releaseContested } from './commands.ts';
import type { AccountSubject, KeySubject, Rules } from './subjects.ts';

/** Account tag that names the key an account is meant to use: `vault/key` or a key identifier. */
export const KEY_TAG = 'cmk-key';

/** The app moves no account back: an operator or a template has. */
export function versionReverted(subject: AccountSubject): readonly Found[] {
  const { account, use, key, before } = subject;
  if (!before || !isReverted(use, key, before)) return [];
  return [
    {
      is: `It is pinned to ${use?.pinned}, and was pinned to the newer ${before}.`,
      shouldBe: 'It stays on the newer version; to leave a version, rotate the key.',
      command: moveAccount(account),
      cause: pinnedBack(subject),
    },
  ];
}

/** The cause of what an operator's or a tool's pin to an older version leads to; undefined: there is none. */
export function pinnedBack({ account, use, key, before, contest }: AccountSubject): FoundCause | undefined {
  if (contest) return { reason: 'ContestedChange', about: [account.id] };
  return before && isReverted(use, key, before) ? { reason: 'VersionReverted', about: [account.id] } : undefined;
}

/** The app repaired it twice within an hour, and it was changed again. */
export function contestedChange({ account, use, contest }: AccountSubject): readonly Found[] {
  if (!contest) return [];
  const { by, since, until } = contest;
  const who = by.name ?? by.objectId ?? 'A caller that the event did not name';
  const client = by.client === undefined ? '' : ` with the client ${by.client}`;
  const is = use
    ? `uses ${use.pinned ?? 'the version that Storage chooses'} of ${use.keyName}`
    : 'uses no key of Key Vault';
  return [
    {
      is: `${who}${client} changed it on ${since}, after the app had repaired it twice within an hour; it ${is}. The app leaves it alone until ${until}.`,
      shouldBe: 'One side decides: the app keeps it on the newest version of its key, or it is exempt.',
      command: releaseContested(account),
    },
  ];
}

/** Whether an account is pinned to an older version than it was. */
export function isReverted(use: KeyUse | undefined, key: KeySubject | undefined, before: string): boolean {
  const versions = known(key?.versions) ?? [];
  const [is, was] = [use?.pinned, before].map((version) => version && findVersion(versions, version));
  return Boolean(is && was && is.createdOn < was.createdOn);
}

export function noLongerCustomerManaged({ account, use, left }: AccountSubject, { drift }: Rules): readonly Found[] {
  if (use || !left || isOptedOut(account.tags, left.lastSeen)) return [];
  // An account that has to use a key is a finding of NotCustomerManaged, and no tag excuses it.
  if (tagOf(account.tags, KEY_TAG) !== undefined || requirementOf(account, drift.require)) return [];
  const { key } = left.key;
  const [identity, another] = account.userAssignedIdentities;
  return [
    {
      is: `It uses Microsoft-managed keys, and used ${key.id} until ${left.lastSeen.toISOString()} or later.`,
      shouldBe: 'It uses the key that it used, or an operator has recorded that it is not meant to.',
      // Which of several identities it used is not known.
      command: another === undefined ? encryptAccount(account, key, identity, left.pinned) : undefined,
      cause: { about: [key.id] },
    },
  ];
}

/** What version 2 left behind, and nothing carries on any more. */
export function legacyRevocation({ account }: AccountSubject): readonly Found[] {
  return readLegacyRevocations(account.tags).map(({ id, revokedOn, revokedBy, scope }) => ({
    ...(scope === undefined ? {} : { resource: scopeResource(account.id, scope) }),
    part: id,
    is: `${revokedBy} revoked it below its key on ${revokedOn.toISOString()} (${id}), by version 2. Nothing keeps it revoked any more.`,
    shouldBe: 'It is restored, or its key is revoked.',
  }));
}
