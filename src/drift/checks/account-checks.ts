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

/** Storage looks for a new version once a day (Azure Storage, "customer-managed keys": wait 24 hours). */
const STORAGE_CHECKS_MS = DAY_MS;

/**
 * An account has so long to follow a new version: it takes seconds, and longer only where the accounts of one region use up
 * the 1,200 writes an hour that the Storage resource provider takes there.
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
      // A person has to act first.
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
  ScopeLocked: ({ subscriptionId }: Account) =>
    `Remove the lock (\`az lock list --subscription ${subscriptionId}\` shows it); the app then retries by itself.`,
  DeniedByPolicy: () =>
    'Exempt the account from the policy that denies the change, or change the policy. The app retries by itself.',
} as const;

/** The app tried, and only an administrator can take away what it met: that is the cause, and no time is given. */
function whatBlocks(account: Account, use: KeyUse, blocked: keyof typeof UNBLOCK): Partial<Found> {
  return {
    severity: 'error',
    is: `${isUsed(use)}. ${REASONS[blocked]}`,
    fix: UNBLOCK[blocked](account),
    command: undefined,
    cause: { reason: blocked, about: [account.id] },
  };
}

/** A version that became usable a moment ago is on its way to the accounts: that is no error yet. */
function behind(what: string, target: KeyVersion, now: Date): Pick<Found, 'is' | 'severity'> {
  const ms = now.getTime() - activeFrom(target).getTime();
  if (ms > MOVE_MS) return { is: `${what}.` };
  const minutes = Math.max(0, Math.round(ms / 60_000));
  return {
    is: `${what}; the newer version became usable ${count(minutes, 'minute')} ago, and is given an hour.`,
    severity: 'advice',
  };
}

export function notCustomerManaged({ account, own, use }: AccountSubject, { drift }: Rules): readonly Found[] {
  if (use) return [];
  const tag = tagOf(account.tags, KEY_TAG);
  const requirement = requirementOf(account, drift.require);
  if (tag === undefined && !requirement) return [];
  const required = own
    ? "It uses a customer-managed key, as CMK_REQUIRE asks: as the app's own storage, one of a vault that the app does not manage."
    : 'It uses a customer-managed key, as CMK_REQUIRE asks.';
  const shouldBe = tag === undefined ? required : `It uses the key of its tag: ${tag}.`;
  // What is asked of a subscription's accounts is one matter, whether by tags or by the setting.
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
  // The app's own storage is meant to be on a key that the app cannot revoke.
  if (own) return [];
  const shouldBe = 'Its key is in one of the vaults of CMK_VAULTS.';
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
          ? // A revocation is meant to do this, and is a finding of its own.
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
    const shouldBe = 'The key is there.';
    const none = `There is no key ${use.keyName} in the vault`;
    const cause = { about: [key.key.id] };
    switch (key.state) {
      case 'present': {
        const is = `The key ${use.keyName} has no version ${versionInUse(use)}, which its data is wrapped with: it was deleted for good, and made anew under its name.`;
        return lost ? [{ resource, is, shouldBe: 'The version in use is there.', cause }] : [];
      }
      case 'deleted': {
        const command = recoverKey(key.key);
        return [{ resource, is: `Its key ${use.keyName} is soft-deleted.`, shouldBe, command, cause }];
      }
      case 'vaultGone': {
        const { vault } = key.key;
        const is = `The vault ${vault.name} is gone, and its key ${use.keyName} with it; it may be soft-deleted.`;
        const ofVault = { reason: 'VaultNotFound', about: [vault.id] } as const;
        return [{ resource, is, shouldBe, command: recoverVault(vault), cause: ofVault }];
      }
      case 'absent':
        return [{ resource, is: `${none}, not even soft-deleted.`, shouldBe, cause }];
      case 'gone':
        return [{ resource, is: `${none}, and whether it is soft-deleted could not be read.`, shouldBe, cause }];
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

/** The version that a pinned use should be moved to, by the same plan that moves it. */
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

/** The version whose state decides whether data can be read; for an automatic use whose version Azure does not show, the newest. */
function heldVersion(use: KeyUse, versions: readonly KeyVersion[]): KeyVersion | undefined {
  const version = versionInUse(use);
  return version === undefined ? newestVersion(versions) : findVersion(versions, version);
}

/** Runs over the account's own use of a managed key and over those of its scopes. */
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
