import type { Dependence } from '../accounts/inventory.ts';
import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { describeAnswerOf, describeFailure } from '../azure/failure.ts';
import type { Log, LogLevel } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { DAY_MS } from '../formats/spans.ts';
import type { Keys, RotationPolicy } from '../keys/key-client.ts';
import { compareAge, findVersion, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { findPause } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { LEASE_CONTAINER, type Lease, type Leases } from '../work/lease-client.ts';
import type { RotateWork } from '../work/messages.ts';
import { DONE, type Outcome, toOutcome } from '../work/outcome.ts';
import { completeVersion, keepRecord, makeVersion, type RotateResult } from './make-version.ts';
import {
  canBeCompleted,
  decideRotation,
  describeHsmPolicy,
  findUnfinishedRotation,
  isRotatedByTag,
} from './rotation.ts';
import { acquireRotation, countMsToLand, LANDED_MS, type RotationIntent, readIntent } from './rotation-lease.ts';

const LANDED_SECONDS = LANDED_MS / 1000;

/** Maximum age of a version that completes an unfinished rotation. This limits the trail search. Milliseconds. */
const OLDEST_MS = 7 * DAY_MS;

/** Delay of a retry if another worker holds the key's lease: it may have decided from an older state, or be dead. */
const BUSY_SECONDS = 30;

export interface RotationPorts {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions' | 'rotationPolicy' | 'rotate' | 'updateVersion'>;
  readonly leases: Leases;
  readonly orderStore: Pick<OrdersStore, 'read'>;
  readonly dependents: (key: ManagedKey) => Promise<Dependence>;
  readonly audit: RecordAudit;
  /** Clock of the app's storage account, so that instances with skewed clocks agree. */
  readonly now: () => Date;
}

/**
 * Rotates a key that is due. Creates at most one version per expiry, even after duplicate messages, a killed worker
 * or a lost answer. The key's lease fences other workers, and stores the start of the rotation.
 */
export async function rotateWhenDue(work: RotateWork, ports: RotationPorts, log: Log): Promise<Outcome> {
  const key = ports.settings.vaults.key(work.key);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };

  try {
    const lease = await acquireRotation(key, ports.leases);
    if (!lease) return retryAfter('RotationUnderWay', key.id, BUSY_SECONDS);

    try {
      return await reconcile({ key, work, lease, ports, log });
    } finally {
      await lease.release();
    }
  } catch (error) {
    return toOutcome(error);
  }
}

/** Retries after a number of seconds. The attempt does not count, so the job never becomes poison. */
function retryAfter(
  reason: Reason,
  detail: string,
  delaySeconds: number,
): Extract<Outcome, { readonly outcome: 'retry' }> {
  return { outcome: 'retry', reason, detail, counts: false, delaySeconds };
}

/** A holder's attempt to rotate a key. */
interface Attempt {
  readonly key: ManagedKey;
  readonly work: RotateWork;
  readonly lease: Lease;
  readonly ports: RotationPorts;
  readonly log: Log;
}

/** A new version and the version before. */
interface Made {
  readonly from: KeyVersion;
  readonly to: KeyVersion;
  /** Another process requested the version, and this one completes it. */
  readonly completes: boolean;
  /** An earlier holder's intent names the version. */
  readonly isResumed?: boolean;
}

async function reconcile(attempt: Attempt): Promise<Outcome> {
  const { key, lease } = attempt;
  const { keys, orderStore, now } = attempt.ports;
  const begun = readIntent(lease);
  const waitMs = countMsToLand(begun, now());

  // No worker sends a request while an earlier request may take effect.
  if (waitMs > 0) return retryAfter('RotationUnknown', REASONS.RotationUnderWay, waitMs / 1000);

  const [versions, policy] = await Promise.all([keys.listVersions(key), keys.rotationPolicy(key)]);
  const made = begun && madeSince(begun.from, versions, now());
  if (made && openRevocation(versions, now())) {
    // A revocation's record is a tag, so no other tags are written now. The rotation is completed after the restore.
    await keepRecord(key, made.to.version, versions, keys, now());
    return skip(attempt, { reason: 'RevocationOpen', needsPerson: false });
  }

  if (made) {
    await announce(attempt, made.from, begun.completes);
    return finish(attempt, { ...made, completes: begun.completes, isResumed: true });
  }

  if (begun) await lease.save(undefined);

  // The end of the pause requests the key again.
  if (findPause(await orderStore.read(), key.id, now())) {
    return skip(attempt, { reason: 'Paused', needsPerson: false });
  }

  const decision = decideRotation(versions, policy, now());
  if (decision.rotate) return rotateIfNeeded(attempt, decision.from, policy);

  const unfinished = decision.reason === 'NotNearExpiry' ? findUnfinishedRotation(versions, now()) : undefined;
  if (!unfinished || !canBeCompleted(unfinished.from, unfinished.to, now())) return skip(attempt, decision);
  if (!(await isWanted(attempt, unfinished.from))) return DONE;

  await announce(attempt, unfinished.from, true);

  return finish(attempt, { ...unfinished, completes: true });
}

/**
 * Returns the recent version that an earlier rotation created after the intent's version, and the version before.
 * Undefined if the rotation took no effect, or if the key was deleted and created again.
 */
function madeSince(before: string, versions: readonly KeyVersion[], now: Date): Pick<Made, 'from' | 'to'> | undefined {
  const known = findVersion(versions, before);
  const [from, to] = [...versions].sort(compareAge).slice(-2);
  if (!known || !from || !to || compareAge(to, known) <= 0) return undefined;
  return now.getTime() - to.createdOn.getTime() > OLDEST_MS ? undefined : { from, to };
}

async function rotateIfNeeded(attempt: Attempt, newest: KeyVersion, policy: RotationPolicy): Promise<Outcome> {
  const { key, lease } = attempt;
  const { keys, now } = attempt.ports;

  if (!(await isWanted(attempt, newest))) return DONE;

  // The search for dependents may take long, so list the versions again.
  const decision = decideRotation(await keys.listVersions(key), policy, now());
  if (!decision.rotate) return skip(attempt, decision);

  const { from } = decision;

  await announce(attempt, from, false);

  if (!lease.held()) return retryAfter('RotationUnderWay', key.id, LANDED_SECONDS);

  let result: RotateResult;
  try {
    result = await makeVersion(key, from, keys);
  } catch (error) {
    await lease.save(undefined);

    const failure = describeFailure(error);
    if (failure.kind !== 'refused') throw error;

    // Final (imported material, an Azure Policy): an operator must act, since a retry would also fail.
    logReason(attempt, 'error', 'RotationRefused', `${describeAnswerOf(failure)}${describeHsmPolicy(key)}`);

    return DONE;
  }

  if ('unknown' in result) return retryAfter('RotationUnknown', describeAnswerOf(result.unknown), LANDED_SECONDS);

  return finish(attempt, { from, to: result.made, completes: false });
}

/** Completes and records the new version. Clears the intent last: after a crash the next holder repeats both. */
async function finish(attempt: Attempt, { from, to, completes, isResumed = false }: Made): Promise<Outcome> {
  const { key, lease } = attempt;
  const { keys, audit, now } = attempt.ports;
  const isItsOwn = !isResumed || canBeCompleted(from, to, now());
  const { version, refused } = isItsOwn
    ? await completeVersion(key, from, to, keys)
    : { version: to, refused: undefined };
  if (!version.enabled) await keepRecord(key, version.version, await keys.listVersions(key), keys, now());

  if (refused) {
    logReason(
      attempt,
      'error',
      'RotationIncomplete',
      `Set the tags and the expiry manually. ${describeAnswerOf(refused)}`,
      to,
    );
  }

  const reason = completes ? 'RotationCompleted' : 'Rotated';
  const result = { to: version.id, expiresOn: version.expiresOn?.toISOString() };
  const details = { from: from.id, ...result, ...(isResumed ? { foundIn: LEASE_CONTAINER } : {}) };
  const id = `key.rotate/${version.version}`;
  const written = await audit({ id, action: 'key.rotate', reason, resource: key.id, details }, AUDIT_WAIT_MS);
  if ('failed' in written) return retryAfter('AuditFailed', written.failed, LANDED_SECONDS);

  logReason(attempt, 'info', reason, '', from, result);
  await lease.save(undefined);

  return DONE;
}

/** Announces the next request. */
function announce({ lease, ports: { now } }: Attempt, from: KeyVersion, completes: boolean): Promise<void> {
  const until = new Date(now().getTime() + LANDED_MS).toISOString();
  return lease.save({ from: from.version, completes, until } satisfies RotationIntent);
}

/** Returns whether the app may rotate the key: a tag requests it, or a resource depends on the key. */
async function isWanted(attempt: Attempt, newest: KeyVersion): Promise<boolean> {
  if (isRotatedByTag(newest)) return true;
  const dependence = await attempt.ports.dependents(attempt.key);
  // The next drift check retries.
  if (dependence.answer === 'none') logReason(attempt, 'info', 'NoDependents', '', newest);
  if (dependence.answer === 'unknown') logReason(attempt, 'error', 'DependentsUnknown', dependence.detail, newest);
  return dependence.answer === 'some';
}

/** Ends the attempt without a rotation. */
function skip(attempt: Attempt, { reason, needsPerson }: { reason: Reason; needsPerson: boolean }): Outcome {
  logReason(attempt, needsPerson ? 'error' : 'info', reason, '');
  return DONE;
}

function logReason(
  { key, work, log }: Attempt,
  level: LogLevel,
  reason: Reason,
  detail: string,
  about?: KeyVersion,
  more: Record<string, unknown> = {},
): void {
  const message = `${REASONS[reason]} ${detail}`.trim();
  log({ level, reason, message, key: key.id, cause: work.cause, version: about?.version, ...more });
}
