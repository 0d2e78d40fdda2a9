import { withDeadline } from '../azure/deadline.ts';
import { describe, describeFailure, type Failure } from '../azure/failure.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import type { KeyTrail, RevocationEvent } from './key-trail.ts';
import type { KeyRestoration, RestoreOrder } from './restore-key.ts';
import { isNamed, isNewer, type RevocationName, readRevocation } from './revocation.ts';
import { hasRevoked } from './revokers.ts';

/** Deadline for reading the audit trail: the restored versions are enabled, and only the answer waits. Milliseconds. */
const TRAIL_MS = 10_000;

/** Versions that are still disabled after a restore. */
export interface LeftDisabled {
  /** The revocation's own audit record says that it disabled them, and their tags no longer do. */
  readonly lost: readonly string[];
  /** Nothing says that the revocation disabled them. */
  readonly others: readonly string[];
  /** Why the app could not read the audit trail, which may name some of `others`. */
  readonly unread?: Failure;
}

export interface ComparedRestoration extends KeyRestoration {
  readonly left: LeftDisabled;
  /** The tags show no revocation, and the audit trail does: the call changed no version, and only its record ends it. */
  readonly isByTrail: boolean;
}

/**
 * Compares the result of a restore with the revocation's own audit record. Another tool may have removed the record from
 * a version's tags, and a restore by the tags then misses the version.
 *
 * The trail never decides what is enabled.
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

/** The tags showed the revocation: whether it disabled more than they showed. */
async function compareRestored(
  result: KeyRestoration,
  revocation: RevocationName,
  { keyTrail, now }: { readonly keyTrail?: KeyTrail; readonly now: () => Date },
): Promise<ComparedRestoration> {
  const off = namesOf(result.last.filter(({ enabled }) => !enabled));
  const untagged = result.last.filter((version) => !version.enabled && !isClosed(version, revocation, now()));
  if (!keyTrail || untagged.length === 0) return { ...result, left: { lost: [], others: off }, isByTrail: false };

  const since = new Date(revocation.revokedOn.getTime() - CLOCKS_MS);
  const read = await readTrail(keyTrail, result, since);
  if ('unread' in read) return { ...result, left: { lost: [], others: off, ...read }, isByTrail: false };

  const lost = disabledBy(findRevoke(read.events, revocation.id), untagged);
  const others = off.filter((version) => !lost.includes(version));
  const end = lost.length > 0 ? 'RestoreIncomplete' : result.end;
  return { ...result, end, left: { lost, others }, isByTrail: false };
}

/** The tags show no open revocation: whether the trail has the named one, and no restore of it. */
async function compareUntagged(
  result: KeyRestoration,
  order: RestoreOrder,
  { keyTrail, now }: { readonly keyTrail?: KeyTrail; readonly now: () => Date },
): Promise<ComparedRestoration> {
  const off = result.last.filter(({ enabled }) => !enabled);
  const nothing = { ...result, left: { lost: [], others: namesOf(off) }, isByTrail: false };
  if (!keyTrail) return nothing;

  const created = Math.min(...result.last.map(({ createdOn }) => createdOn.getTime()));
  const read = await readTrail(keyTrail, result, new Date(created - CLOCKS_MS));
  if ('unread' in read) return { ...nothing, left: { ...nothing.left, ...read } };

  const made = findRevoke(read.events, order.revocation);
  const { restored } = readRevocation(result.last, now());
  if (!made || (restored && !isNewer(made.revocation, restored))) return nothing;
  if (
    order.dualControl &&
    (made.by === order.restoredBy.toLowerCase() || hasRevoked(made.revocation, order.restoredBy))
  )
    return { ...nothing, end: 'SecondPersonNeeded' };

  const lost = disabledBy(made, off);
  const others = namesOf(off).filter((version) => !lost.includes(version));
  const isEnded = read.events.some(({ did, revocation }) => did === 'restore' && !isNewer(made.revocation, revocation));
  if (lost.length === 0 && isEnded) return nothing;
  const end = lost.length > 0 ? 'RestoreIncomplete' : 'Restored';
  return { ...result, end, revocation: made.revocation, left: { lost, others }, isByTrail: true };
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

/** The revocation's own record: one that was derived from the tags does not know which versions it disabled. */
function findRevoke(events: readonly RevocationEvent[], id: string): RevocationEvent | undefined {
  return events.find(({ did, isFound, revocation }) => did === 'revoke' && !isFound && isNamed(revocation.id, id));
}

function disabledBy(made: RevocationEvent | undefined, versions: readonly KeyVersion[]): string[] {
  return namesOf(versions).filter((version) => made?.carriers.get(version));
}

/** Whether the version's own tombstone shows that a restore of the revocation has decided about it. */
function isClosed(version: KeyVersion, revocation: RevocationName, now: Date): boolean {
  const { restored } = readRevocation([version], now);
  return restored !== undefined && !isNewer(revocation, restored);
}

function namesOf(versions: readonly KeyVersion[]): string[] {
  return versions.map(({ version }) => version);
}

/** Words for the caller, one for each cause. */
export function warnOfLeft({ lost, others, unread }: LeftDisabled): string[] {
  const warnings: string[] = [];
  if (lost.length > 0) {
    warnings.push(
      `The revocation disabled these versions, and another tool removed its record from their tags, so they stay disabled: ${lost.join(', ')}. Enable them yourself: az keyvault key set-attributes --enabled true.`,
    );
  }
  if (others.length > 0) {
    warnings.push(
      `These versions stay disabled, because no record shows that the revocation disabled them: ${others.join(', ')}.`,
    );
  }
  if (unread) {
    warnings.push(
      `The app could not read the audit trail, which may name more versions that the revocation disabled: ${describe(unread)}`,
    );
  }
  return warnings;
}
