import { known } from '../../azure/read-or-why.ts';
import type { ShellCommand } from '../../azure/shell-command.ts';
import type { Account } from '../../fleet/account.ts';
import { compareAge, type KeyVersion, newestUsableVersion, newestVersion } from '../../keys/key-versions.ts';
import { MAX_AGE_DAYS } from '../../keys/near-expiry.ts';
import { REASONS } from '../../reasons.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { openRevocation, revocationOf } from '../../revocation/revocation.ts';
import {
  decideRotation,
  isRotatedByTag,
  ORIGIN_TAG,
  ROTATION_TAG,
  rotatedByHand,
  unfinishedRotation,
} from '../../rotation/rotation.ts';
import { rotationDue } from '../../rotation/rotation-due.ts';
import { DAY_MS, HOUR_MS } from '../../time/spans.ts';
import type { Found, FoundCause } from './check.ts';
import { moveAccount, rotate } from './commands.ts';
import { isUsedByMySql, stoppedByExpiry } from './expiry.ts';
import type { KeySubject, Rules } from './subjects.ts';

/** Key Vault raises its near-expiry event 30 days before the expiry, unless the rotation policy overrides it. */
const WARN_DAYS = 30;
const ERROR_DAYS = 10;
/** Time that a rotation policy gets to rotate the key. */
const ROTATION_SLACK_MS = DAY_MS;
/** `cmk key rotate` creates no version if the newest one is younger (default of `--if-older-than`). Milliseconds. */
const ROTATED_MS = HOUR_MS;

export function keyTooOld(subject: KeySubject, { now }: Rules): readonly Found[] {
  const { versions } = subject;
  const newest = inForce(versions, now);
  if (!newest) return [];
  const days = Math.floor((now.getTime() - newest.createdOn.getTime()) / DAY_MS);
  if (days <= MAX_AGE_DAYS) return [];
  const is = `Its newest version ${newest.version} is ${days} days old.`;
  const shouldBe = `Its newest version is at most ${MAX_AGE_DAYS} days old.`;
  return [{ is, shouldBe, command: imported(newest) ? undefined : rotate(subject) }];
}

export function nearExpiry(subject: KeySubject, rules: Rules): readonly Found[] {
  return [...newestNearExpiry(subject, rules), ...heldNearExpiry(subject, rules)];
}

/** Older versions that expire soon and are pinned by a user that stops then. */
function heldNearExpiry(subject: KeySubject, { now }: Rules): readonly Found[] {
  const all = listed(subject.versions);
  const newest = newestVersion(all);
  return all
    .filter(({ version, enabled }) => enabled && version !== newest?.version)
    .flatMap((version): Found[] => {
      const { id, expiresOn } = version;
      const stopped = stoppedByExpiry(subject, version, false);
      if (!expiresOn || !stopped || (expiresOn.getTime() - now.getTime()) / DAY_MS > WARN_DAYS) return [];
      return [
        {
          resource: id,
          severity: 'error',
          is: `It ${expiresOn < now ? 'expired' : 'expires'} on ${expiresOn.toISOString()}, which stops its users: ${stopped}.`,
          shouldBe: 'Resources that stop working when a key expires use a version that does not expire soon.',
          cause: expiryCause(subject, expiresOn < now),
        },
      ];
    });
}

function newestNearExpiry(subject: KeySubject, { now }: Rules): readonly Found[] {
  const { key, versions, policy, usage } = subject;
  const all = listed(versions);
  const newest = inForce(versions, now);
  if (!newest?.expiresOn) return [];
  const days = (newest.expiresOn.getTime() - now.getTime()) / DAY_MS;
  if (days > WARN_DAYS) return [];
  const when = newest.expiresOn.toISOString();
  const rotation = known(policy);
  // Key Vault cannot rotate imported key material.
  const due = rotation && !imported(newest) ? rotationDue(newest, rotation) : undefined;
  const itself = due && due < newest.expiresOn ? due : undefined;
  // The key's policy rotates it in time, so its near expiry is intended.
  if (itself && now.getTime() - itself.getTime() < ROTATION_SLACK_MS) return [];
  const decision = rotation && decideRotation(all, rotation, now);
  // The worker reads the fleet before it rotates, so it is not called for a key without a known user.
  const rotates = isRotatedByTag(newest) || usage.used || usage.incomplete;
  const stopped = stoppedByExpiry(subject, newest, true);
  return [
    {
      severity: stopped || days <= ERROR_DAYS ? 'error' : 'warning',
      is: `Its newest version ${days < 0 ? 'expired' : 'expires'} on ${when}${itself ? `; its rotation policy should have rotated it on ${itself.toISOString()}` : ''}.${stopped ? ` That stops ${stopped}.` : ''}`,
      shouldBe: 'The newest version does not expire soon.',
      command: imported(newest) ? undefined : rotate(subject, now.getTime() - newest.createdOn.getTime() < ROTATED_MS),
      cause: expiryCause(subject, days < 0),
      ...(decision?.rotate && rotates
        ? { action: { kind: 'rotate', key: key.id, version: newest.version } as const }
        : {}),
    },
  ];
}

/** After the expiry, the key and its accounts share one cause. */
function expiryCause({ key }: KeySubject, hasExpired: boolean): FoundCause {
  return { ...(hasExpired ? { reason: 'KeyExpired' } : {}), about: [key.id] };
}

export function rotationIncomplete(subject: KeySubject, { now }: Rules): readonly Found[] {
  const { key, versions, usage } = subject;
  const unfinished = unfinishedRotation(listed(versions), now);
  if (!unfinished) return [];
  const { from, to } = unfinished;
  const byHand = rotatedByHand(from) ?? rotatedByHand(to);
  const rotates = !byHand && (isRotatedByTag(from) || usage.used || usage.incomplete);
  return [
    {
      is: `Its newest version ${to.version} never expires, and the previous version expires on ${from.expiresOn?.toISOString()}.`,
      shouldBe: 'A new version has the lifetime of the previous version.',
      command: imported(to) ? undefined : rotate(subject),
      ...(rotates ? { action: { kind: 'rotate', key: key.id, version: to.version } as const } : {}),
    },
  ];
}

export function noExpiry(subject: KeySubject, { now }: Rules): readonly Found[] {
  const newest = inForce(subject.versions, now);
  if (!newest || newest.expiresOn || isUsedByMySql(subject)) return [];
  return [{ is: `Its newest version ${newest.version} never expires.`, shouldBe: 'Its versions expire.' }];
}

export function noRotationPolicy({ versions, policy }: KeySubject, { now }: Rules): readonly Found[] {
  const newest = inForce(versions, now);
  const rotation = known(policy);
  if (!newest || !rotation || rotation.rotates) return [];
  // Rotated manually by choice, or because Key Vault cannot rotate it.
  if (newest.tags[ROTATION_TAG]?.toLowerCase() === 'manual') return [];
  if (imported(newest)) return [];
  return [{ is: 'No rotation policy rotates it.', shouldBe: 'A rotation policy creates a new version in time.' }];
}

export function imported({ tags }: KeyVersion): boolean {
  return tags[ORIGIN_TAG]?.toLowerCase() === 'imported';
}

export function revocationOpen({ key, versions }: KeySubject, { now }: Rules): readonly Found[] {
  const open = openRevocation(listed(versions), now);
  if (!open) return [];
  const is = `It was revoked on ${open.revokedOn.toISOString()} by ${open.revokedBy}.`;
  const shouldBe = 'The key is restored, or no account depends on it any more.';
  return [{ is, shouldBe, command: restoreCommand(key, open) }];
}

export function revokedVersionEnabled({ key, versions }: KeySubject, { now }: Rules): readonly Found[] {
  const read = listed(versions);
  const open = openRevocation(read, now);
  if (!open) return [];
  return read
    .filter(({ enabled }) => enabled)
    .map((version) => ({
      resource: version.id,
      is: revocationOf(version, now)
        ? 'The open revocation disabled the version, and an operator or another tool enabled it again.'
        : 'It is enabled although the key is revoked.',
      shouldBe: 'Every version of a revoked key is disabled.',
      cause: { about: [key.id] },
    }));
}

/**
 * The command for a use of an expired version: moves the use if a newer version is usable, and rotates the key
 * otherwise.
 *
 * @param pinned the account if its own use is pinned; undefined if no single command moves the use
 */
export function afterExpiry(
  key: KeySubject,
  held: KeyVersion,
  pinned: Account | undefined,
  now: Date,
): ShellCommand | undefined {
  const later = listed(key.versions).filter((version) => compareAge(version, held) > 0);
  if (newestUsableVersion(later, now)) return pinned && moveAccount(pinned);
  const newest = inForce(key.versions, now);
  return newest && !imported(newest) ? rotate(key) : undefined;
}

/** The newest version, unless the key is revoked or disabled: then its age and expiry do not matter. */
export function inForce(versions: KeySubject['versions'], now: Date): KeyVersion | undefined {
  const read = listed(versions);
  const newest = newestVersion(read);
  return newest?.enabled && !openRevocation(read, now) ? newest : undefined;
}

function listed(versions: KeySubject['versions']): readonly KeyVersion[] {
  return known(versions) ?? [];
}

export function pinnedVersion({ key, usage }: KeySubject): readonly Found[] {
  const { pinned, pinnedExamples: examples } = usage;
  if (pinned === 0) return [];
  const more = pinned > examples.length ? ` and ${pinned - examples.length} more` : '';
  return [
    {
      resource: key.id,
      is: `${pinned === 1 ? 'One account or scope is' : `${pinned} accounts and scopes are`} pinned to a version: ${examples.join(', ')}${more}.`,
      shouldBe: 'Accounts follow the newest version automatically, and the app accelerates it.',
    },
  ];
}

/** No finding if another target replaced the rollout's target. */
export function rotationStuck({ rollout, versions }: KeySubject, { now }: Rules): readonly Found[] {
  const target = newestUsableVersion(known(versions) ?? [], now);
  if (!rollout || !target || rollout.target !== target.id) return [];
  const { lastNews, unfinished, failed, progressOn, unwell } = rollout;
  if (!lastNews || lastNews === 'RotationFinished' || unfinished === 0) return [];
  const why = lastNews === 'RotationStuck' ? '' : ` ${REASONS[lastNews]}${unwell ? ` ${unwell}` : ''}`;
  return [
    {
      is: `Accounts and scopes not yet on version ${target.version}: ${unfinished}; ${failed} of them failed. The last move was on ${progressOn}.${why}`,
      shouldBe: 'Every user of the key is on its newest usable version.',
    },
  ];
}
