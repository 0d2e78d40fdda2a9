import type { Account } from '../../accounts/account.ts';
import { getKnown } from '../../azure/read-or-why.ts';
import type { ShellCommand } from '../../azure/shell-command.ts';
import { REASONS } from '../../errors/reasons.ts';
import { DAY_MS, HOUR_MS } from '../../formats/spans.ts';
import {
  compareAge,
  findNewestUsableVersion,
  findNewestVersion,
  isStorageKind,
  type KeyVersion,
} from '../../keys/key-versions.ts';
import { MAX_AGE_DAYS } from '../../keys/near-expiry.ts';
import { formatRestoreCommand } from '../../revocation/restore-command.ts';
import { openRevocation, revocationOf } from '../../revocation/revocation.ts';
import {
  computeRotationDue,
  decideRotation,
  findManualRotation,
  findUnfinishedRotation,
  isRotatedByTag,
  ORIGIN_TAG,
  ROTATION_TAG,
} from '../../rotation/rotation.ts';
import type { Found, FoundCause } from './check.ts';
import { formatAllowOperations, formatMoveAccount, formatRotate } from './commands.ts';
import { describeStoppedByExpiry, hasUserWithDisputedExpiry } from './other-checks.ts';
import type { KeySubject, Rules } from './subjects.ts';

/** Key Vault raises its near-expiry event 30 days before the expiry, unless the rotation policy overrides it. */
const WARN_DAYS = 30;
const ERROR_DAYS = 10;
/** Time that a rotation policy gets to rotate the key. */
const ROTATION_SLACK_MS = DAY_MS;
/** `cmk key rotate` creates no version if the newest one is younger (default of `--if-older-than`). Milliseconds. */
const ROTATED_MS = HOUR_MS;

export function findKeyTooOld(subject: KeySubject, { now }: Rules): Found | undefined {
  const newest = findVersionInForce(subject.versions, now);
  const days = newest ? Math.floor((now.getTime() - newest.createdOn.getTime()) / DAY_MS) : 0;
  if (!newest || days <= MAX_AGE_DAYS) return undefined;
  const is = `Its newest version ${newest.version} is ${days} days old.`;
  const shouldBe = `Its newest version is at most ${MAX_AGE_DAYS} days old.`;
  return { is, shouldBe, command: isImported(newest) ? undefined : formatRotate(subject) };
}

export function findNearExpiry(subject: KeySubject, rules: Rules): readonly Found[] {
  return [newestNearExpiry(subject, rules) ?? [], heldNearExpiry(subject, rules)].flat();
}

/** Older versions that expire soon and are pinned by a user that stops then. */
function heldNearExpiry(subject: KeySubject, { now }: Rules): readonly Found[] {
  const all = listed(subject.versions);
  const newest = findNewestVersion(all);

  return all
    .filter(({ version, enabled }) => enabled && version !== newest?.version)
    .flatMap((version): Found[] => {
      const { id, expiresOn } = version;
      const stopped = describeStoppedByExpiry(subject, version, false);
      if (!expiresOn || !stopped || (expiresOn.getTime() - now.getTime()) / DAY_MS > WARN_DAYS) return [];
      const is = `It ${expiresOn < now ? 'expired' : 'expires'} on ${expiresOn.toISOString()}, which stops its users: ${stopped}.`;
      const shouldBe = 'Resources that stop working when a key expires use a version that does not expire soon.';
      return [{ resource: id, severity: 'error', is, shouldBe, cause: expiryCause(subject, expiresOn < now) }];
    });
}

function newestNearExpiry(subject: KeySubject, { now }: Rules): Found | undefined {
  const { key, versions, policy } = subject;
  const newest = findVersionInForce(versions, now);
  if (!newest?.expiresOn) return undefined;

  const days = (newest.expiresOn.getTime() - now.getTime()) / DAY_MS;
  if (days > WARN_DAYS) return undefined;

  const rotation = getKnown(policy);

  // Key Vault cannot rotate imported key material.
  const due = rotation && !isImported(newest) ? computeRotationDue(newest, rotation) : undefined;
  const itself = due && due < newest.expiresOn ? due : undefined;

  // The key's policy rotates it in time, so its near expiry is intended.
  if (itself && now.getTime() - itself.getTime() < ROTATION_SLACK_MS) return undefined;

  const decision = rotation && decideRotation(listed(versions), rotation, now);
  const stopped = describeStoppedByExpiry(subject, newest, true);
  const when = `${days < 0 ? 'expired' : 'expires'} on ${newest.expiresOn.toISOString()}`;
  const late = itself ? `; its rotation policy should have rotated it on ${itself.toISOString()}` : '';
  const isYoung = now.getTime() - newest.createdOn.getTime() < ROTATED_MS;

  return {
    severity: stopped || days <= ERROR_DAYS ? 'error' : 'warning',
    is: `Its newest version ${when}${late}.${stopped ? ` That stops ${stopped}.` : ''}`,
    shouldBe: 'The newest version does not expire soon.',
    command: isImported(newest) ? undefined : formatRotate(subject, isYoung),
    cause: expiryCause(subject, days < 0),
    ...(decision?.rotate && mayRotate(subject, newest)
      ? { action: { kind: 'rotate', key: key.id, version: newest.version } }
      : {}),
  };
}

/** The worker reads the fleet before it rotates, so it is not called for a key without a known user. */
function mayRotate({ usage }: KeySubject, version: KeyVersion): boolean {
  return isRotatedByTag(version) || usage.used || usage.incomplete;
}

/** After the expiry, the key and its accounts share one cause. */
function expiryCause({ key }: KeySubject, hasExpired: boolean): FoundCause {
  return { ...(hasExpired ? { reason: 'KeyExpired' } : {}), about: [key.id] };
}

export function findRotationIncomplete(subject: KeySubject, { now }: Rules): Found | undefined {
  const { key, versions } = subject;
  const unfinished = findUnfinishedRotation(listed(versions), now);
  if (!unfinished || hasUserWithDisputedExpiry(subject)) return undefined;

  const { from, to } = unfinished;
  const rotates = !findManualRotation(from) && !findManualRotation(to) && mayRotate(subject, from);

  return {
    is: `Its newest version ${to.version} never expires, and the previous version expires on ${from.expiresOn?.toISOString()}.`,
    shouldBe: 'A new version has the lifetime of the previous version.',
    command: isImported(to) ? undefined : formatRotate(subject),
    ...(rotates ? { action: { kind: 'rotate', key: key.id, version: to.version } } : {}),
  };
}

export function findNoExpiry(subject: KeySubject, { now }: Rules): Found | undefined {
  const newest = findVersionInForce(subject.versions, now);
  if (!newest || newest.expiresOn || hasUserWithDisputedExpiry(subject)) return undefined;
  return { is: `Its newest version ${newest.version} never expires.`, shouldBe: 'Its versions expire.' };
}

export function findNoRotationPolicy({ versions, policy }: KeySubject, { now }: Rules): Found | undefined {
  const newest = findVersionInForce(versions, now);
  const rotation = getKnown(policy);
  // Rotated manually by choice, or because Key Vault cannot rotate it.
  const isManual = newest && (newest.tags[ROTATION_TAG]?.toLowerCase() === 'manual' || isImported(newest));
  if (!newest || !rotation || rotation.rotates || isManual) return undefined;
  return { is: 'No rotation policy rotates it.', shouldBe: 'A rotation policy creates a new version in time.' };
}

export function isImported({ tags }: KeyVersion): boolean {
  return tags[ORIGIN_TAG]?.toLowerCase() === 'imported';
}

export function findRevocationOpen({ key, versions }: KeySubject, { now }: Rules): Found | undefined {
  const open = openRevocation(listed(versions), now);
  if (!open) return undefined;
  const is = `It was revoked on ${open.revokedOn.toISOString()} by ${open.revokedBy}.`;
  const shouldBe = 'The key is restored, or no account depends on it any more.';
  return { is, shouldBe, command: formatRestoreCommand(key, open) };
}

export function findRevokedVersionEnabled({ key, versions }: KeySubject, { now }: Rules): readonly Found[] {
  const read = listed(versions);
  const enabled = openRevocation(read, now) ? read.filter((version) => version.enabled) : [];
  return enabled.map((version) => ({
    resource: version.id,
    is: revocationOf(version, now)
      ? 'The open revocation disabled the version, and an operator or another tool enabled it again.'
      : 'It is enabled although the key is revoked.',
    cause: { about: [key.id] },
  }));
}

export function findRevocationRecordLost({ lostRevocation, versions }: KeySubject): Found | undefined {
  if (!lostRevocation) return undefined;
  const { id, revokedOn, revokedBy } = lostRevocation;
  const all = listed(versions);
  const enabled = all.filter((version) => version.enabled);
  return {
    is: `It was revoked on ${revokedOn} by ${revokedBy} (${id}). No restore ended that, and no version has the record any more. Enabled versions: ${enabled.length} of ${all.length}.`,
  };
}

/**
 * The command for a use of an expired version: moves the use if a newer version is usable, and rotates the key
 * otherwise.
 *
 * @param pinned the account if its own use is pinned; undefined if no single command moves the use
 */
export function planAfterExpiry(
  key: KeySubject,
  held: KeyVersion,
  pinned: Account | undefined,
  now: Date,
): ShellCommand | undefined {
  const later = listed(key.versions).filter((version) => compareAge(version, held) > 0);
  if (findNewestUsableVersion(later, now)) return pinned && formatMoveAccount(pinned);
  const newest = findVersionInForce(key.versions, now);
  return newest && !isImported(newest) ? formatRotate(key) : undefined;
}

/** The newest version, unless the key is revoked or disabled: then its age and expiry do not matter. */
export function findVersionInForce(versions: KeySubject['versions'], now: Date): KeyVersion | undefined {
  const read = listed(versions);
  const newest = findNewestVersion(read);
  return newest?.enabled && !openRevocation(read, now) ? newest : undefined;
}

function listed(versions: KeySubject['versions']): readonly KeyVersion[] {
  return getKnown(versions) ?? [];
}

export function findPinnedVersion({ key, usage }: KeySubject): Found | undefined {
  const { pinned, pinnedExamples: examples } = usage;
  if (pinned === 0) return undefined;
  const more = pinned > examples.length ? ` and ${pinned - examples.length} more` : '';
  const who = pinned === 1 ? 'One account or scope is' : `${pinned} accounts and scopes are`;
  return {
    resource: key.id,
    is: `${who} pinned to a version: ${examples.join(', ')}${more}.`,
    shouldBe: 'Accounts follow the newest version automatically, and the app accelerates it.',
  };
}

/** No finding if another target replaced the rollout's target. */
export function findRotationStuck({ rollout, versions }: KeySubject, { now }: Rules): Found | undefined {
  const target = findNewestUsableVersion(listed(versions), now);
  if (!rollout || !target || rollout.target !== target.id) return undefined;
  const { lastNews, unfinished, failed, progressOn, failing } = rollout;
  if (!lastNews || lastNews === 'RotationFinished' || unfinished === 0) return undefined;
  const why = lastNews === 'RotationStuck' ? '' : ` ${REASONS[lastNews]}${failing ? ` ${failing}` : ''}`;
  return {
    is: `Accounts and scopes not yet on version ${target.version}: ${unfinished}; ${failed} of them failed. The last move was on ${progressOn}.${why}`,
    shouldBe: 'Every user of the key is on its newest usable version.',
  };
}

/**
 * Storage wraps and unwraps (Azure Storage, "customer-managed keys overview"). Key Vault rejects operations that a key
 * does not permit.
 */
const STORAGE_OPERATIONS = ['wrapKey', 'unwrapKey'];

export function findKeyOperationsMissing({ versions, material }: KeySubject): Found | undefined {
  const read = getKnown(material);
  const newest = findNewestVersion(getKnown(versions) ?? []);

  // UnsupportedKey reports key types that cannot have these operations.
  if (!read?.operations || !newest || isStorageKind(read) === false) return undefined;

  const { operations } = read;
  const allowed = operations.map((operation) => operation.toLowerCase());
  const missing = STORAGE_OPERATIONS.filter((operation) => !allowed.includes(operation.toLowerCase()));
  if (missing.length === 0) return undefined;

  return {
    is: `Its newest version ${newest.version} does not allow ${missing.join(' and ')}.`,
    shouldBe: 'It allows wrapKey and unwrapKey, without which Storage cannot use it.',
    command: formatAllowOperations(newest, [...operations, ...missing]),
  };
}

export function findUnsupportedKey({ material }: KeySubject): Found | undefined {
  const read = getKnown(material);
  // An unknown size causes no finding.
  if (!read || isStorageKind(read) !== false) return undefined;
  const is = `It is ${read.type}${read.size ? ` of ${read.size} bits` : ''}.`;
  return { is, shouldBe: 'It is RSA of 2048, 3072 or 4096 bits.' };
}

export function findKeyTooSmall({ material }: KeySubject, { drift }: Rules): Found | undefined {
  const { type = '', size } = getKnown(material) ?? {};
  if (!/^RSA/i.test(type) || size === undefined || size >= drift.keyMinBits) return undefined;
  return { is: `It has ${size} bits.`, shouldBe: `It has ${drift.keyMinBits} bits or more.` };
}

export function findKeyNotInHsm({ key, material }: KeySubject, { drift }: Rules): Found | undefined {
  const read = getKnown(material);
  if (!read || !drift.requireHsm || key.vault.kind === 'managedHsm' || /-HSM$/i.test(read.type)) return undefined;
  return { is: `It is ${read.type}, in software.`, shouldBe: 'It is in hardware (RSA-HSM).' };
}
