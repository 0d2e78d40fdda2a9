import { withDeadline } from '../azure/deadline.ts';
import { describeAnswerOf, describeFailure, type Failure } from '../azure/failure.ts';
import { CLOCKS_MS } from '../formats/spans.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { KeyTrail, RevocationEvent } from './key-trail.ts';
import type { KeyRestoration, RestoreOrder } from './restore-key.ts';
import { isNamed, isNewer, type RevocationName, readRevocation } from './revocation.ts';
import { hasRevoked } from './revokers.ts';

/** Deadline for reading the audit trail, which delays only the answer of a restore. Milliseconds. */
const TRAIL_MS = 10_000;

/** Versions that are still disabled after a restore. */
export interface LeftDisabled {
  /** The revocation's audit record says that it disabled them, and their tags no longer do. */
  readonly lost: readonly string[];
  /** Neither the tags nor the audit trail say that the revocation disabled them. */
  readonly others: readonly string[];
  /** Why the app could not read the audit trail, which may name some of `others`. */
  readonly unread?: Failure;
}

export interface ComparedRestoration extends KeyRestoration {
  readonly left: LeftDisabled;
  /** Only the audit trail shows the revocation: the call changed no version, and only its audit record ends the revocation. */
  readonly isByTrail: boolean;
}

/**
 * Finds versions that a restore by the tags missed, because another tool had removed the record from their tags. Compares
 * the result of the restore with the revocation's own audit record.
 *
 * The app never enables a version because of the trail.
 */
export async function compareWithTrail(
  result: KeyRestoration,
  order: RestoreOrder,
  services: { readonly keyTrail?: KeyTrail; readonly now: () => Date },
): Promise<ComparedRestoration> {
  const { end, last, isDeleted } = result;
  if (end === 'Restored' && result.revocation) return compareRestored(result, result.revocation, services);
  if (end === 'NothingToRestore' && !isDeleted && last.length > 0) return compareUntagged(result, order, services);
  return { ...result, left: { lost: [], others: [] }, isByTrail: false };
}

/** For a restore of a revocation that the tags showed: checks whether the revocation disabled more versions. */
async function compareRestored(
  result: KeyRestoration,
  revocation: RevocationName,
  { keyTrail, now }: { readonly keyTrail?: KeyTrail; readonly now: () => Date },
): Promise<ComparedRestoration> {
  const disabled = namesOf(result.last.filter(({ enabled }) => !enabled));
  const untagged = result.last.filter((version) => !version.enabled && !isClosed(version, revocation, now()));
  if (!keyTrail || untagged.length === 0) return { ...result, left: { lost: [], others: disabled }, isByTrail: false };

  const since = new Date(revocation.revokedOn.getTime() - CLOCKS_MS);
  const read = await readTrail(keyTrail, result, since);
  if ('unread' in read) return { ...result, left: { lost: [], others: disabled, ...read }, isByTrail: false };

  const lost = versionsDisabledBy(findRevocationEvent(read.events, revocation.id), untagged);
  const others = disabled.filter((version) => !lost.includes(version));
  const end = lost.length > 0 ? 'RestoreIncomplete' : result.end;

  return { ...result, end, left: { lost, others }, isByTrail: false };
}

/** For a key whose tags show no open revocation: checks whether the trail has the named one, and no restore of it. */
async function compareUntagged(
  result: KeyRestoration,
  order: RestoreOrder,
  { keyTrail, now }: { readonly keyTrail?: KeyTrail; readonly now: () => Date },
): Promise<ComparedRestoration> {
  const disabled = result.last.filter(({ enabled }) => !enabled);
  const nothing = { ...result, left: { lost: [], others: namesOf(disabled) }, isByTrail: false };
  if (!keyTrail) return nothing;

  const created = Math.min(...result.last.map(({ createdOn }) => createdOn.getTime()));
  const read = await readTrail(keyTrail, result, new Date(created - CLOCKS_MS));
  if ('unread' in read) return { ...nothing, left: { ...nothing.left, ...read } };

  const revoked = findRevocationEvent(read.events, order.revocation);
  if (!revoked) return nothing;

  const { restored } = readRevocation(result.last, now());
  const isRestoredByTags = restored !== undefined && !isNewer(revoked.revocation, restored);
  if (isRestoredByTags) return nothing;

  const hasTakenPart =
    revoked.by === order.restoredBy.toLowerCase() || hasRevoked(revoked.revocation, order.restoredBy);
  if (order.dualControl && hasTakenPart) return { ...nothing, end: 'SecondPersonNeeded' };

  const lost = versionsDisabledBy(revoked, disabled);
  const others = namesOf(disabled).filter((version) => !lost.includes(version));
  const isEnded = read.events.some(
    ({ did, revocation }) => did === 'restore' && !isNewer(revoked.revocation, revocation),
  );
  if (lost.length === 0 && isEnded) return nothing;

  const end = lost.length > 0 ? 'RestoreIncomplete' : 'Restored';

  return { ...result, end, revocation: revoked.revocation, left: { lost, others }, isByTrail: true };
}

async function readTrail(
  keyTrail: KeyTrail,
  { key }: KeyRestoration,
  since: Date,
): Promise<{ readonly events: readonly RevocationEvent[] } | { readonly unread: Failure }> {
  try {
    const events = await withDeadline(TRAIL_MS, 'The app could not read the audit trail', (signal) =>
      keyTrail(key, since, signal),
    );
    return { events };
  } catch (error) {
    return { unread: describeFailure(error) };
  }
}

/** Finds the audit record of the revocation itself: a record derived from tags does not name the disabled versions. */
function findRevocationEvent(events: readonly RevocationEvent[], id: string): RevocationEvent | undefined {
  return events.find(({ did, isFound, revocation }) => did === 'revoke' && !isFound && isNamed(revocation.id, id));
}

/** Returns those of the versions that the revocation disabled. */
function versionsDisabledBy(revoked: RevocationEvent | undefined, versions: readonly KeyVersion[]): string[] {
  return namesOf(versions).filter((version) => revoked?.carriers.get(version));
}

/** Returns whether the version has the tombstone of a restore of that revocation, or of a newer one. */
function isClosed(version: KeyVersion, revocation: RevocationName, now: Date): boolean {
  const { restored } = readRevocation([version], now);
  return restored !== undefined && !isNewer(revocation, restored);
}

function namesOf(versions: readonly KeyVersion[]): string[] {
  return versions.map(({ version }) => version);
}

/** Returns a warning for each reason why versions stay disabled. */
export function describeLeftDisabled({ lost, others, unread }: LeftDisabled): string[] {
  const warnings: string[] = [];

  if (lost.length > 0) {
    warnings.push(
      `These versions stay disabled: ${lost.join(', ')}. The revocation disabled them, but another tool removed its record from their tags. Enable them yourself: az keyvault key set-attributes --enabled true.`,
    );
  }

  if (others.length > 0) {
    warnings.push(
      `These versions stay disabled, because no record shows that the revocation disabled them: ${others.join(', ')}.`,
    );
  }

  if (unread) {
    warnings.push(
      `The app could not read the audit trail, which may name more versions that the revocation disabled: ${describeAnswerOf(unread)}`,
    );
  }

  return warnings;
}
