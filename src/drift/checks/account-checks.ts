import { known } from '../../azure/read-or-why.ts';
import { scopeResource } from '../../azure/resource-id.ts';
import type { Account } from '../../fleet/account.ts';
import type { KeyUse } from '../../fleet/key-use.ts';
import { planKeyUse, versionInUse } from '../../fleet/plan.ts';
import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../../keys/key-identifier.ts';
import { activeFrom, findVersion, type KeyVersion, newestVersion, usability } from '../../keys/key-versions.ts';
import { REASONS } from '../../reasons.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import { requirementOf, tagOf } from '../../settings/requirement.ts';
import { count } from '../../text.ts';
import { DAY_MS, HOUR_MS } from '../../time/spans.ts';
import { recoverVault } from '../../vaults/vault-commands.ts';
import type { Found } from './check.ts';
import { enableVersion, moveAccount, recoverKey } from './commands.ts';
import { stoppedByExpiry } from './expiry.ts';
import { afterExpiry } from './key-checks.ts';
import { KEY_TAG, pinnedBack } from './left-checks.ts';
import type { AccountSubject, KeySubject, Rules, ScopeSubject } from './subjects.ts';

/** Storage checks for a new version once a day (Azure Storage, "customer-managed keys": wait 24 hours). */
const STORAGE_CHECKS_MS = DAY_MS;

/**
 * Time for an account to change to a new version. Usually seconds, but longer when a region's accounts use up the
 * Storage resource provider's 1,200 writes per hour.
 */
const MOVE_MS = HOUR_MS;

export function staleKeyVersion(subject: AccountSubject, rules: Rules): readonly Found[] {
  const { account, use, key, blocked, contest } = subject;
  const { now } = rules;
  const stale = use && stalePin(use, key, now);
  if (!stale || !key) return [];
  return [
    {
      ...behind(isUsed(use), stale, now),
      shouldBe: `It is pinned to the newest usable version ${stale.version}.`,
      command: moveAccount(account),
      cause: pinnedBack(subject) ?? { about: [key.key.id] },
      ...(blocked ? whatBlocks(account, use, blocked) : {}),
      // An operator must act first.
      ...(blocked || contest
        ? {}
        : { action: { kind: 'account', account: account.id, location: account.location, key: key.key.id } as const }),
    },
  ];
}

export function laggingAutomaticVersion({ account, use, key }: AccountSubject, rules: Rules): readonly Found[] {
  const target = use && lagging(use, key, rules.now);
  if (!target || !key) return [];
  return [lag(account, use, key, target)];
}

function lag({ id, location }: Account, use: KeyUse, key: KeySubject, target: KeyVersion): Found {
  return {
    is: `It uses ${use.current}, more than 24 hours after a newer version became usable.`,
    shouldBe: `It uses the newest usable version ${target.version}.`,
    cause: { about: [key.key.id] },
    action: { kind: 'account', account: id, location, key: key.key.id },
  };
}

const UNBLOCK = {
  ScopeLocked:
    'Remove the lock on the account, its resource group or its subscription (`az lock list` shows it). The app retries automatically.',
  DeniedByPolicy:
    'Exempt the account from the policy that denies the change, or change the policy. The app retries automatically.',
} as const;

/**
 * Only an administrator can remove what blocked the last move. The blocker is therefore the cause, without a deadline.
 */
function whatBlocks(account: Account, use: KeyUse, blocked: keyof typeof UNBLOCK): Partial<Found> {
  return {
    severity: 'error',
    is: `${isUsed(use)}. ${REASONS[blocked]}`,
    fix: UNBLOCK[blocked],
    command: undefined,
    cause: { reason: blocked, about: [account.id] },
  };
}

/** A version that has just become usable is not an error yet, because the accounts are still being moved. */
function behind(what: string, target: KeyVersion, now: Date): Pick<Found, 'is' | 'severity'> {
  const ms = now.getTime() - activeFrom(target).getTime();
  if (ms > MOVE_MS) return { is: `${what}.` };
  const minutes = Math.max(0, Math.round(ms / 60_000));
  return {
    is: `${what}; the newer version became usable ${count(minutes, 'minute')} ago. The app may take an hour.`,
    severity: 'advice',
  };
}

export function notCustomerManaged({ account, own, use }: AccountSubject, { drift }: Rules): readonly Found[] {
  if (use) return [];
  const tag = tagOf(account.tags, KEY_TAG);
  const requirement = requirementOf(account, drift.require);
  if (tag === undefined && !requirement) return [];
  const required = own
    ? "It uses a customer-managed key, as CMK_REQUIRE requires. The app's own storage needs a key of a vault that the app does not manage."
    : 'It uses a customer-managed key, as CMK_REQUIRE requires.';
  const shouldBe = tag === undefined ? required : `It uses the key of its tag: ${tag}.`;
  // One cause per subscription, for tags and for the setting.
  const cause = { about: [`/subscriptions/${account.subscriptionId}`] };
  return [{ is: 'It uses Microsoft-managed keys.', shouldBe, cause }];
}

export function unexpectedKey({ account, use }: AccountSubject): readonly Found[] {
  const tag = tagOf(account.tags, KEY_TAG)?.trim();
  if (!use || tag === undefined) return [];
  const used = parseKeyIdentifier(formatKeyIdentifier(use));
  const wanted = parseKeyIdentifier(tag);
  const [vault = '', key = ''] = tag.split('/');
  const fits = wanted
    ? wanted.vaultUri === use.vaultUri && sameKeyName(wanted.keyName, use.keyName)
    : vault.toLowerCase() === used?.vaultName && sameKeyName(key, use.keyName);
  if (fits) return [];
  const is = formatKeyIdentifier(use);
  return [{ is: `It uses ${is}.`, shouldBe: `It uses the key of its tag: ${tag}.`, cause: { about: [is] } }];
}

export function unmanagedVault({ own, use, key, scopes, account }: AccountSubject): readonly Found[] {
  // The app's own storage should use a key that the app cannot revoke.
  if (own) return [];
  const shouldBe = 'Its key is in a vault of CMK_VAULTS.';
  return [
    ...(use && !key
      ? [{ is: `It uses ${formatKeyIdentifier(use)}.`, shouldBe, cause: { about: [use.vaultUri] } }]
      : []),
    ...scopes.flatMap(({ scope, use: of, key: managed }) =>
      of && !managed
        ? [
            {
              resource: scopeResource(account.id, scope.name),
              is: `It uses ${scope.keyUri}.`,
              shouldBe,
              cause: { about: [of.vaultUri] },
            },
          ]
        : [],
    ),
  ];
}

export function keyDisabled(subject: AccountSubject, rules: Rules): readonly Found[] {
  return eachUse(subject, (use, key, resource) => {
    const versions = known(key.versions) ?? [];
    const held = heldVersion(use, versions);
    if (!held || usability(held, rules.now) !== 'Disabled') return [];
    const revocation = openRevocation(versions, rules.now);
    const why = revocation ? `, by the revocation of ${revocation.revokedOn.toISOString()}` : '';
    return [
      {
        resource,
        is: `The version in use, ${held.version}, is disabled${why}: its data cannot be read.`,
        shouldBe: 'The version in use is enabled.',
        ...(revocation
          ? // A revocation disables it intentionally, and has its own finding.
            {
              severity: 'warning' as const,
              command: restoreCommand(key.key, revocation),
              cause: { reason: 'RevocationOpen' as const, about: [key.key.id] },
            }
          : { command: enableVersion(held), cause: { about: [held.id] } }),
      },
    ];
  });
}

export function keyExpired(subject: AccountSubject, rules: Rules): readonly Found[] {
  return eachUse(subject, (use, key, resource) => {
    const versions = known(key.versions) ?? [];
    const held = heldVersion(use, versions);
    if (!held || usability(held, rules.now) !== 'Expired') return [];
    const stopped = stoppedByExpiry(key, held, held === newestVersion(versions));
    const is = `The version in use, ${held.version}, expired on ${held.expiresOn?.toISOString()}.`;
    const pinned = use.pinned !== undefined && resource === subject.account.id ? subject.account : undefined;
    const command = afterExpiry(key, held, pinned, rules.now);
    const shouldBe = 'The version in use has not expired.';
    const found: Found = { resource, is, shouldBe, command, cause: { about: [key.key.id] } };
    return [stopped ? { ...found, severity: 'error', is: `${is} That stops ${stopped}.` } : found];
  });
}

export function keyDeleted(subject: AccountSubject): readonly Found[] {
  return eachUse(subject, (use, key, resource, lost) => {
    const shouldBe = 'The key exists.';
    const none = `The vault has no key ${use.keyName}`;
    const cause = { about: [key.key.id] };
    switch (key.state) {
      case 'present': {
        const is = `The key ${use.keyName} has no version ${versionInUse(use)}, which wraps the account's data: the key was purged and created again under its name.`;
        return lost ? [{ resource, is, shouldBe: 'The version in use exists.', cause }] : [];
      }
      case 'deleted': {
        const command = recoverKey(key.key);
        return [{ resource, is: `Its key ${use.keyName} is soft-deleted.`, shouldBe, command, cause }];
      }
      case 'vaultGone': {
        const { vault } = key.key;
        const is = `The vault ${vault.name} with its key ${use.keyName} no longer exists. It may be soft-deleted.`;
        const ofVault = { reason: 'VaultNotFound', about: [vault.id] } as const;
        return [{ resource, is, shouldBe, command: recoverVault(vault), cause: ofVault }];
      }
      case 'absent':
        return [{ resource, is: `${none}, not even a soft-deleted one.`, shouldBe, cause }];
      case 'gone':
        return [
          { resource, is: `${none}, and the app could not read whether a soft-deleted one exists.`, shouldBe, cause },
        ];
    }
  });
}

export function scopeStaleKeyVersion({ account, scopes }: AccountSubject, rules: Rules): readonly Found[] {
  return scopes.flatMap(({ scope, use, key }: ScopeSubject): readonly Found[] => {
    if (!use || !key) return [];
    const resource = scopeResource(account.id, scope.name);
    const late = lagging(use, key, rules.now);
    if (late) return [{ ...lag(account, use, key, late), resource, severity: 'warning' }];
    const stale = stalePin(use, key, rules.now);
    if (!stale) return [];
    return [
      {
        resource,
        ...behind(isUsed(use), stale, rules.now),
        shouldBe: `It uses the newest usable version ${stale.version}.`,
        cause: { about: [key.key.id] },
        action: { kind: 'account', account: account.id, location: account.location, key: key.key.id },
      },
    ];
  });
}

function isUsed({ pinned, current }: KeyUse): string {
  const used = current === undefined || current === pinned ? '' : `, and Azure uses ${current}`;
  return `It is pinned to ${pinned}${used}`;
}

/** The version to which the mover's plan would move a pinned use. */
function stalePin(use: KeyUse, key: KeySubject | undefined, now: Date): KeyVersion | undefined {
  const plan = use.pinned === undefined ? undefined : planOf(use, key, now);
  return plan?.write ? plan.target : undefined;
}

function lagging(use: KeyUse, key: KeySubject | undefined, now: Date): KeyVersion | undefined {
  const plan = use.pinned === undefined && use.current !== undefined ? planOf(use, key, now) : undefined;
  if (plan?.reason !== 'LaggingAutomaticVersion' || !plan.target) return undefined;
  return now.getTime() - activeFrom(plan.target).getTime() > STORAGE_CHECKS_MS ? plan.target : undefined;
}

function planOf(use: KeyUse, key: KeySubject | undefined, now: Date) {
  const versions = known(key?.versions);
  return versions && planKeyUse(use, versions, now);
}

/**
 * The version that must be usable to read data. The newest, if Azure does not return the version of an automatic use.
 */
function heldVersion(use: KeyUse, versions: readonly KeyVersion[]): KeyVersion | undefined {
  const version = versionInUse(use);
  return version === undefined ? newestVersion(versions) : findVersion(versions, version);
}

/** Applies a check to the account's use of a managed key and to those of its scopes. */
function eachUse(
  { account, use, key, lost = false, scopes }: AccountSubject,
  find: (use: KeyUse, key: KeySubject, resource: string, lost: boolean) => readonly Found[],
): readonly Found[] {
  return [
    ...(use && key ? find(use, key, account.id, lost) : []),
    ...scopes.flatMap((scope) =>
      scope.use && scope.key
        ? find(scope.use, scope.key, scopeResource(account.id, scope.scope.name), scope.lost ?? false)
        : [],
    ),
  ];
}
