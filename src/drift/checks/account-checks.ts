import { type Account, listOwnKeyServices, type OwnKeyService } from '../../accounts/account.ts';
import type { KeyUse } from '../../accounts/key-use.ts';
import { getKnown } from '../../azure/read-or-why.ts';
import { formatScopeId } from '../../azure/resource-id.ts';
import { REASONS } from '../../errors/reasons.ts';
import { HOUR_MS } from '../../formats/spans.ts';
import { formatCount } from '../../formats/text.ts';
import { formatKeyIdentifier, isSameKeyName, parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { findNewestVersion, getUsability, getUsableSince, type KeyVersion } from '../../keys/key-versions.ts';
import { getVersionInUse } from '../../keys/version-in-use.ts';
import { formatRestoreCommand } from '../../revocation/restore-command.ts';
import { findTag } from '../../settings/requirement.ts';
import { recoverVault } from '../../vaults/vault-commands.ts';
import type { FixAction } from '../report/report.ts';
import type { Check, Found } from './check.ts';
import { formatMoveAccount, formatRecoverKey } from './commands.ts';
import { planAfterExpiry } from './key-checks.ts';
import { findPinnedBack, hasToUseKey, KEY_TAG } from './left-checks.ts';
import { describeStoppedByExpiry } from './other-checks.ts';
import { type AccountSubject, type KeySubject, listManagedUses, type ManagedUse, type Rules } from './subjects.ts';
import {
  createMissingKeyCause,
  createUnmanagedVaultCause,
  findDisabledUse,
  findHeldVersion,
  findLaggingUse,
  findStaleUse,
  type UseOfVersions,
} from './use-faults.ts';

/**
 * Time for an account to change to a new version. Usually seconds, but longer when a region's accounts use up the
 * Storage resource provider's 1,200 writes per hour.
 */
const MOVE_MS = HOUR_MS;

export function findStaleKeyVersion(subject: AccountSubject, { now }: Rules): readonly Found[] {
  const { account, use, key, blocked } = subject;
  if (!use || !key) return [];

  return describeStaleUse(account, { use, key }, now).map((stale): Found => {
    const found: Found = {
      ...stale,
      command: formatMoveAccount(account),
      cause: findPinnedBack(subject, now) ?? stale.cause,
    };
    if (!blocked) return found;

    // Only an administrator can remove what blocked the last move. It is therefore the cause, without a deadline.
    const { action: _, command: __, ...rest } = found;
    const is = `${describePinned(use)}. ${REASONS[blocked]}`;
    const cause = { reason: blocked, about: [account.id] };

    return { ...rest, severity: 'error', is, fix: UNBLOCK[blocked](account), cause };
  });
}

export function findLaggingAutomaticVersion(subject: AccountSubject, { now }: Rules): readonly Found[] {
  const { account, use, key, asked } = subject;
  return use && key ? describeLaggingUse(account, { use, key, asked }, now) : [];
}

export function findScopeStaleKeyVersion(subject: AccountSubject, { now }: Rules): readonly Found[] {
  const { account } = subject;
  return listManagedUses({ ...subject, use: undefined }).flatMap(({ resource, ...scope }) => {
    const found = [...describeLaggingUse(account, scope, now), ...describeStaleUse(account, scope, now)];
    return found.map((one) => ({ ...one, resource }));
  });
}

function describeStaleUse(account: Account, managed: Pick<ManagedUse, 'use' | 'key'>, now: Date): Found[] {
  const stale = findStaleUse(toUseOfVersions(managed), now);
  if (!stale) return [];

  const { target, cause } = stale;
  const shouldBe = `It is pinned to the newest usable version ${target.version}.`;
  const action = createMove(account, managed.key);

  return [{ ...describeBehind(describePinned(managed.use), target, now), shouldBe, cause, action }];
}

function describeLaggingUse(
  account: Account,
  { asked, ...managed }: Pick<ManagedUse, 'use' | 'key' | 'asked'>,
  now: Date,
): Found[] {
  const lagging = findLaggingUse(toUseOfVersions(managed), now);
  if (!lagging) return [];

  const { target, cause } = lagging;
  const is = `It uses ${managed.use.current}, more than 24 hours after a newer version became usable.`;
  const shouldBe = `It uses the newest usable version ${target.version}.`;
  const found: Found = { severity: 'warning', is, shouldBe, cause };

  if (asked === undefined || !isSameKeyName(asked, target.id)) {
    return [{ ...found, action: createMove(account, managed.key) }];
  }

  const done = `${is} The app asked Storage to check for the newer version, and Storage did not change to it.`;

  return [{ ...found, is: done, fix: ASKED }];
}

const ASKED =
  'Storage checks again within a day. If the finding remains, check the identity and its role with `cmk account verify`.';

/** Versions that could not be read count as none: they show nothing about the use. */
function toUseOfVersions({ use, key: { key, versions } }: Pick<ManagedUse, 'use' | 'key'>): UseOfVersions {
  return { use, key, versions: getKnown(versions) ?? [] };
}

function createMove({ id, location }: Account, { key }: KeySubject): FixAction {
  return { kind: 'account', account: id, location, key: key.id };
}

function describePinned({ pinned, current }: KeyUse): string {
  const used = current === undefined || current === pinned ? '' : `, and Azure uses ${current}`;
  return `It is pinned to ${pinned}${used}`;
}

const UNBLOCK = {
  ScopeLocked: ({ subscriptionId }: Account) =>
    `Remove the lock (\`az lock list --subscription ${subscriptionId}\` shows it); the app then retries automatically.`,
  DeniedByPolicy: () =>
    'Exempt the account from the policy that denies the change, or change the policy. The app retries automatically.',
} as const;

/** A version that has just become usable is not an error yet, because the accounts are still being moved. */
function describeBehind(what: string, target: KeyVersion, now: Date): Pick<Found, 'is' | 'severity'> {
  const ms = now.getTime() - getUsableSince(target).getTime();
  if (ms > MOVE_MS) return { is: `${what}.` };
  const minutes = Math.max(0, Math.round(ms / 60_000));
  return {
    is: `${what}; the newer version became usable ${formatCount(minutes, 'minute')} ago. The app may take an hour.`,
    severity: 'advice',
  };
}

export function findNotCustomerManaged({ account, own, use }: AccountSubject, rules: Rules): Found | undefined {
  if (use || !hasToUseKey(account, rules)) return undefined;

  const tag = findTag(account.tags, KEY_TAG);
  const ofOwn = own ? " The app's own storage needs a key of a vault that the app does not manage." : '';
  const required = `It uses a customer-managed key, as CMK_REQUIRE requires.${ofOwn}`;

  return {
    is: 'It uses Microsoft-managed keys.',
    shouldBe: tag === undefined ? required : `It uses the key of its tag: ${tag}.`,
    // One cause per subscription, for tags and for the setting.
    cause: { about: [`/subscriptions/${account.subscriptionId}`] },
  };
}

export function findUnexpectedKey({ account, use }: AccountSubject): Found | undefined {
  const tag = findTag(account.tags, KEY_TAG)?.trim();
  if (!use || tag === undefined) return undefined;

  const used = parseKeyIdentifier(formatKeyIdentifier(use));
  const wanted = parseKeyIdentifier(tag);
  const [vault = '', key = ''] = tag.split('/');
  const fits = wanted
    ? wanted.vaultUri === use.vaultUri && isSameKeyName(wanted.keyName, use.keyName)
    : vault.toLowerCase() === used?.vaultName && isSameKeyName(key, use.keyName);
  const is = formatKeyIdentifier(use);

  return fits
    ? undefined
    : { is: `It uses ${is}.`, shouldBe: `It uses the key of its tag: ${tag}.`, cause: { about: [is] } };
}

export function findUnmanagedVault({ scopes, ...subject }: AccountSubject): readonly Found[] {
  // The app's own storage should use a key that the app cannot revoke.
  if (subject.own) return [];
  return [subject, ...scopes].flatMap(({ resource, use, key }) => {
    if (!use || key) return [];
    return [{ resource, is: `It uses ${formatKeyIdentifier(use)}.`, cause: createUnmanagedVaultCause(use) }];
  });
}

export function findKeyDisabled(subject: AccountSubject, { now }: Rules): readonly Found[] {
  return listManagedUses(subject).flatMap((managed): readonly Found[] => {
    const disabled = findDisabledUse(toUseOfVersions(managed), now);
    if (!disabled) return [];

    const { resource, key } = managed;
    const { version, revocation, cause } = disabled;
    const is = `The version in use, ${version.version}, is disabled`;
    if (!revocation) return [{ resource, is: `${is}: its data cannot be read.`, cause }];

    // A revocation disables it intentionally, and has its own finding.
    return [
      {
        resource,
        severity: 'warning',
        is: `${is}, by the revocation of ${revocation.revokedOn.toISOString()}: its data cannot be read.`,
        command: formatRestoreCommand(key.key, revocation),
        cause,
      },
    ];
  });
}

export function findKeyExpired(subject: AccountSubject, { now }: Rules): readonly Found[] {
  return listManagedUses(subject).flatMap(({ resource, use, key }): readonly Found[] => {
    const versions = getKnown(key.versions) ?? [];
    const held = findHeldVersion(use, versions);
    if (!held || getUsability(held, now) !== 'Expired') return [];

    const stopped = describeStoppedByExpiry(key, held, held === findNewestVersion(versions));
    const is = `The version in use, ${held.version}, expired on ${held.expiresOn?.toISOString()}.`;
    const pinned = use.pinned !== undefined && resource === subject.account.id ? subject.account : undefined;
    const shouldBe = 'The version in use has not expired.';
    const command = planAfterExpiry(key, held, pinned, now);
    const found: Found = { resource, is, shouldBe, command, cause: { about: [key.key.id] } };

    return [stopped ? { ...found, severity: 'error', is: `${is} That stops ${stopped}.` } : found];
  });
}

export function findKeyDeleted(subject: AccountSubject): readonly Found[] {
  return listManagedUses(subject).flatMap(describeMissingKey);
}

function describeMissingKey({ resource, use, key: { key, state }, lost }: ManagedUse): readonly Found[] {
  const found = { resource, cause: createMissingKeyCause(key) };
  const none = `The vault has no key ${use.keyName}`;

  switch (state) {
    case 'present': {
      const is = `The key ${use.keyName} has no version ${getVersionInUse(use)}, which wraps the account's data: the key was purged and created again under its name.`;
      return lost ? [{ ...found, is }] : [];
    }
    case 'deleted':
      return [{ ...found, is: `Its key ${use.keyName} is soft-deleted.`, command: formatRecoverKey(key) }];
    case 'vaultGone': {
      const { vault } = key;
      const is = `The vault ${vault.name} with its key ${use.keyName} no longer exists. It may be soft-deleted.`;
      const cause = { reason: 'VaultNotFound', about: [vault.id] } as const;

      return [{ ...found, is, command: recoverVault(vault), cause }];
    }
    case 'absent':
      return [{ ...found, is: `${none}, not even a soft-deleted one.` }];
    case 'gone':
      return [{ ...found, is: `${none}, and the app could not read whether a soft-deleted one exists.` }];
  }
}

/** No finding for an account without a customer-managed key, which NotCustomerManaged reports. */
export function findUseOfServiceKey(service: OwnKeyService): Check<AccountSubject>['find'] {
  return (subject, rules) => {
    const { account, use } = subject;
    if (!use || !listOwnKeyServices(account).includes(service)) return undefined;
    return {
      severity: hasToUseKey(account, rules) ? 'error' : 'advice',
      is: `Its ${service}s are encrypted with a Microsoft-managed key, so a revocation of the account's key leaves them readable.`,
      shouldBe: `Its ${service}s use the key of the account. Azure permits this choice only when an account is created.`,
      // One cause per subscription, because the same templates create its accounts.
      cause: { about: [`/subscriptions/${account.subscriptionId}`] },
    };
  };
}

/** A disabled scope counts as removed: Azure denies reads of its data, and cannot delete scopes. */
export function findScopeNotCustomerManaged(subject: AccountSubject, rules: Rules): readonly Found[] {
  const { account, platformScopes = [] } = subject;
  const scopes = hasToUseKey(account, rules) ? platformScopes.filter(({ enabled }) => enabled) : [];
  return scopes.map(({ name }) => ({
    resource: formatScopeId(account.id, name),
    is: `The encryption scope ${name} uses a Microsoft-managed key, so no revocation blocks its data.`,
    cause: { about: [account.id] },
  }));
}
