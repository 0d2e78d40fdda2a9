import { withDeadline } from '../azure/deadline.ts';
import { canPass, describeFailure, type Failure } from '../azure/failure.ts';
import type { Reason } from '../errors/reasons.ts';
import { CLOCKS_MS } from '../formats/spans.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { type ManagedKey, withSpelling } from '../keys/managed-vaults.ts';
import { type AppliedChange, applyChanges, type KeyPorts } from './apply-changes.ts';
import type { KeyTrail } from './key-trail.ts';
import { canMark, planClose, planCloseLost, planMark, planReopen } from './restore-plans.ts';
import {
  isNamed,
  isNewer,
  isRevoker,
  openRecords,
  type RevocationName,
  type RevocationStamp,
  readRevocation,
} from './revocation.ts';
import { planKeepRevoked, type VersionChange } from './revocation-plans.ts';
import { hasRevoked } from './revokers.ts';
import { reportVersions, type VersionReport } from './version-report.ts';

/** Maximum number of waves: marking, enabling and closing take a wave each, and late writes may require repeats. */
const MOST_WAVES = 12;
/** Deadline for reading the audit trail, which may reach back to the creation of the key. Milliseconds. */
const TRAIL_MS = 20_000;

/** Reason why a restore cannot start; the call changed nothing. */
type RestoreRefusal = Extract<
  Reason,
  'NothingToRestore' | 'RevocationUnbelieved' | 'OtherRevocation' | 'SecondPersonNeeded' | 'RevokersUnread'
>;
/**
 * Result of a restore. `Restored`: the last read confirms it. `RestoreOvertaken`: the newer revocation disabled its
 * versions again.
 */
type RestoreEnd = RestoreRefusal | Extract<Reason, 'Restored' | 'RestoreOvertaken' | 'RestoreIncomplete'>;

/** Whether nothing remains to be restored. */
export function isComplete(end: RestoreEnd): boolean {
  return end === 'Restored' || end === 'NothingToRestore';
}

export interface KeyRestoration {
  /** Key with the spelling of Key Vault. */
  readonly key: ManagedKey;
  readonly end: RestoreEnd;
  /** The restored or open revocation. If another restore closed the revocation, the tags no longer name its caller. */
  readonly revocation: (RevocationName & Partial<RevocationStamp>) | undefined;
  /** The key was soft-deleted, and the app recovered it first. */
  readonly recovered: boolean;
  /** The key is soft-deleted, and the app did not recover it. */
  readonly isDeleted?: true;
  /** Whether the call wrote anything. */
  readonly changed: boolean;
  readonly versions: readonly VersionReport[];
  /** The last list of the versions; empty if it failed. */
  readonly last: readonly KeyVersion[];
  /** Failure of the read that should confirm the result. */
  readonly unproven: Failure | undefined;
}

export interface RestoreServices extends KeyPorts<'listVersionsUnsettled' | 'deletedVersion' | 'recover'> {
  /** Absent with an operator's own sign-in, whose Key Vault rights bypass dual control anyway. */
  readonly keyTrail?: KeyTrail;
  /**
   * Records the start of the restore before the first version is enabled, and only if no tag can show it. Never
   * rejects.
   */
  readonly recordBegun?: (key: ManagedKey, revocation: RevocationStamp) => Promise<void>;
}

export interface RestoreOrder {
  /** Id of the revocation to restore. */
  readonly revocation: string;
  /** Object id of the caller. */
  readonly restoredBy: string;
  readonly dualControl: boolean;
}

/** The app could not recover the soft-deleted key, or could not check whether there is one; `cause` is the SDK's error. */
export class KeyNotRecoveredError extends Error {
  /** Whether the app found the soft-deleted key; false if it could not check. */
  readonly isFound: boolean;

  constructor(key: ManagedKey, isFound: boolean, cause: unknown) {
    const why = isFound ? 'is deleted, and the app could not recover it' : 'has no versions, and may be deleted';
    super(`${key.id} ${why}.`, { cause });
    this.name = 'KeyNotRecoveredError';
    this.isFound = isFound;
  }
}

/**
 * Enables exactly the versions that the revocation disabled. Versions that were disabled before stay disabled. Checks
 * everything before the first change. Safe to repeat after a failure, and without effect if nothing is revoked.
 *
 * @throws the SDK's error when the app cannot list the versions; {@link KeyNotRecoveredError}
 */
export async function restoreKey(
  key: ManagedKey,
  request: RestoreOrder,
  services: RestoreServices,
): Promise<KeyRestoration> {
  const { keys, now } = services;
  let before = await keys.listVersionsUnsettled(key);
  const recovered = before.length === 0;
  if (recovered) {
    const deleted = await orNotRecovered(key, false, () => keys.deletedVersion(key));
    if (!deleted) return answer(key, 'NothingToRestore', [], false, now());

    // Recovery brings back the whole key, so the record on its newest version has to be of the named revocation.
    const refused = await refusal(key, [deleted], request, services);
    if (refused) {
      return { ...answer(key, refused.end, [deleted], false, now()), isDeleted: true, unproven: refused.why };
    }

    await orNotRecovered(key, true, () => keys.recover(key));

    try {
      before = await keys.listVersionsUnsettled(key);
    } catch (error) {
      return { ...answer(key, 'RestoreIncomplete', [deleted], true, now()), unproven: describeFailure(error) };
    }
  }

  const { open, restored } = readRevocation(before, now());
  if (!open && restored && isNamed(restored.id, request.revocation)) {
    // An interrupted restore, or a late write after a restore: enables the remaining versions.
    const { id, revokedOn, restoredBy } = restored;
    return { ...(await finishRestore(key, { id, revokedOn }, restoredBy, before, services)), recovered };
  }

  const refused = await refusal(key, before, request, services);
  if (refused || !open) {
    return { ...answer(key, refused?.end ?? 'NothingToRestore', before, recovered, now()), unproven: refused?.why };
  }

  if (!canMark(before, now())) await services.recordBegun?.(withSpelling(key, before), open);

  return { ...(await finishRestore(key, open, request.restoredBy, before, services)), recovered };
}

function answer(
  key: ManagedKey,
  end: RestoreEnd,
  versions: readonly KeyVersion[],
  recovered: boolean,
  now: Date,
): KeyRestoration {
  const { open } = readRevocation(versions, now);
  const report = reportVersions(versions, [], versions, now);
  const spelled = withSpelling(key, versions);

  return {
    key: spelled,
    end,
    changed: recovered,
    revocation: open,
    recovered,
    versions: report,
    last: versions,
    unproven: undefined,
  };
}

/**
 * Reason to stop a restore, from the tags and, if the tags omit revokers, from the audit trail; undefined: may
 * continue.
 */
async function refusal(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  request: RestoreOrder,
  { keyTrail, now }: RestoreServices,
): Promise<{ readonly end: RestoreRefusal; readonly why?: Failure } | undefined> {
  const end = findRestoreRefusal(versions, request, now());
  if (end) return { end };
  if (!request.dualControl || !keyTrail) return undefined;

  try {
    const hasRevoked = await hasEverRevoked(key, versions, request.restoredBy, keyTrail, now());
    return hasRevoked ? { end: 'SecondPersonNeeded' } : undefined;
  } catch (error) {
    return { end: 'RevokersUnread', why: describeFailure(error) };
  }
}

/**
 * Whether the caller made a revocation that is not restored. Reads the key's tags, and also the audit trail if the tags
 * omit revokers.
 *
 * @throws the SDK's error when the app cannot read the trail, or not in time
 */
async function hasEverRevoked(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  objectId: string,
  keyTrail: KeyTrail,
  now: Date,
): Promise<boolean> {
  if (isRevoker(versions, objectId, now)) return true;
  if (!openRecords(versions, now).some(({ isPartial }) => isPartial)) return false;

  const { restored } = readRevocation(versions, now);
  const made = Math.min(...versions.map(({ createdOn }) => createdOn.getTime()));
  const since = new Date((restored?.revokedOn.getTime() ?? made) - CLOCKS_MS);
  const events = await withDeadline(TRAIL_MS, 'The app could not read the audit trail', (signal) =>
    keyTrail(key, since, signal),
  );

  // The trail's restores count too, because a later revocation overwrites a restore's record in the tags.
  const closed = events.flatMap(({ did, isComplete, revocation }) =>
    did === 'restore' && isComplete ? revocation : [],
  );
  const isOpen = (revocation: RevocationName): boolean =>
    [...closed, ...(restored ? [restored] : [])].every((one) => isNewer(revocation, one));

  return events.some(
    ({ did, revocation, by }) =>
      did === 'revoke' && isOpen(revocation) && (by === objectId.toLowerCase() || hasRevoked(revocation, objectId)),
  );
}

/** Reason to stop a restore, from the tags alone; undefined: the restore may continue. */
export function findRestoreRefusal(
  versions: readonly KeyVersion[],
  request: RestoreOrder,
  now: Date,
): RestoreRefusal | undefined {
  const { open, unbelieved } = readRevocation(versions, now);
  if (!open) return unbelieved.length > 0 ? 'RevocationUnbelieved' : 'NothingToRestore';
  if (!isNamed(open.id, request.revocation)) return 'OtherRevocation';
  return request.dualControl && isRevoker(versions, request.restoredBy, now) ? 'SecondPersonNeeded' : undefined;
}

/**
 * Marks the revocation as being restored, and enables its versions without touching tags. Deletes the records only
 * after a check for a newer revocation. Repeating the call finishes an interrupted restore. A wave without a write
 * confirms the result. Never throws.
 */
export async function finishRestore(
  key: ManagedKey,
  revocation: RevocationName & Partial<RevocationStamp>,
  restoredBy: string,
  before: readonly KeyVersion[],
  services: KeyPorts<'listVersionsUnsettled'>,
): Promise<Omit<KeyRestoration, 'recovered'>> {
  const { keys, now } = services;
  const applied = new Map<string, AppliedChange>();
  const opened = new Set<string>();
  const apply = async (changes: readonly VersionChange[]): Promise<boolean> => {
    const wave = await applyChanges(key, changes, services);
    for (const one of wave) {
      const { version } = one.change.version;
      applied.set(version, one);
      if (one.written && one.change.enabled) opened.add(version);
    }
    return wave.some(({ failure }) => failure === undefined || canPass(failure));
  };

  const ended = (end: RestoreEnd, proof: readonly KeyVersion[] | undefined, unproven?: Failure) => {
    const versions = reportVersions(before, [...applied.values()], proof, now());
    const changed = [...applied.values()].some(({ written }) => written);
    return { key: withSpelling(key, before), end, changed, revocation, versions, last: proof ?? [], unproven };
  };

  /** Versions that must be enabled in the end. */
  const toEnable = new Set<string>();
  let seen = before;
  let isWorthRepeating = true;
  for (let wave = 1; ; wave += 1) {
    const { open } = readRevocation(seen, now());
    if (open && open.id !== revocation.id && isNewer(open, revocation)) {
      await apply(planKeepRevoked(seen, now(), { alsoLate: true, opened }));
      return ended('RestoreOvertaken', seen);
    }

    for (const { version, wasEnabled } of readRevocation(seen, now()).records.values()) {
      if (wasEnabled) toEnable.add(version);
    }

    const steps = nextSteps(seen, revocation, restoredBy, now());
    if (steps.length === 0) return ended(isStillDisabled(seen, toEnable) ? 'RestoreIncomplete' : 'Restored', seen);
    if (wave > MOST_WAVES || !isWorthRepeating) return ended('RestoreIncomplete', seen);

    isWorthRepeating = await apply(steps);
    try {
      seen = await keys.listVersionsUnsettled(key);
    } catch (error) {
      return ended('RestoreIncomplete', undefined, describeFailure(error));
    }
  }
}

/**
 * Whether a version that should be enabled is disabled and has no record. The cause may be a late write of this
 * revocation, or a newer revocation whose record is lost. The app cannot determine the cause, so the version stays
 * disabled.
 */
function isStillDisabled(versions: readonly KeyVersion[], toEnable: ReadonlySet<string>): boolean {
  return versions.some(({ version, enabled }) => toEnable.has(version) && !enabled);
}

/** Changes of the next step with changes: mark, enable or close. */
function nextSteps(
  versions: readonly KeyVersion[],
  revocation: RevocationName,
  restoredBy: string,
  now: Date,
): readonly VersionChange[] {
  const mark = planMark(versions, restoredBy, now);
  if (mark.length > 0) return mark;

  const reopen = planReopen(versions, revocation, now);
  if (reopen.length > 0) return reopen;

  const close = planClose(versions, revocation, restoredBy, now);

  return close.length > 0 ? close : planCloseLost(versions, revocation, restoredBy, now);
}

/** @throws {@link KeyNotRecoveredError} */
async function orNotRecovered<T>(key: ManagedKey, isFound: boolean, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new KeyNotRecoveredError(key, isFound, error);
  }
}
