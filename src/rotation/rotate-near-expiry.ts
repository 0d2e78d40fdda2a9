import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, describeFailure, mayPass } from '../azure/failure.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { completeRotation, decideRotation, type RotationCompletion, unfinishedRotation } from './rotation.ts';

/** How long a rotation waits for the audit trail, in milliseconds: Event Grid waits 30 s for the whole. */
const AUDIT_WAIT_MS = 5_000;

/** Rotations under way in this instance, by key: two deliveries of one event must not make two versions. */
const underWay = new Map<string, Promise<RotationOutcome>>();

export interface RotationOutcome {
  readonly reason: Reason;
  /** Identifier of the new version, when there is one. */
  readonly to?: string;
}

/**
 * Rotates a key whose version nears its expiry, unless that is somebody else's to do. The state decides, not the event:
 * the version must still be the newest one.
 *
 * @throws the SDK's error when Key Vault cannot be reached or throttles: Event Grid delivers again.
 */
export async function rotateNearExpiry(
  key: ManagedKey,
  nearExpiry: string,
  services: { readonly keys: Keys; readonly audit: RecordAudit; readonly now: () => Date },
  log: Log,
): Promise<RotationOutcome> {
  const other = underWay.get(key.id);
  if (other) {
    await other;
    log({ level: 'info', reason: 'AlreadyRotated', message: REASONS.AlreadyRotated, key: key.id, version: nearExpiry });
    return { reason: 'AlreadyRotated' };
  }
  const rotation = rotate(key, nearExpiry, services, log).finally(() => underWay.delete(key.id));
  underWay.set(key.id, rotation);
  return rotation;
}

async function rotate(
  key: ManagedKey,
  nearExpiry: string,
  { keys, audit, now }: { readonly keys: Keys; readonly audit: RecordAudit; readonly now: () => Date },
  log: Log,
): Promise<RotationOutcome> {
  const [versions, policy] = await Promise.all([keys.listVersions(key), keys.rotationPolicy(key)]);
  const decision = decideRotation(nearExpiry, versions, policy, now());
  const about = { key: key.id, version: nearExpiry };
  if (!decision.rotate) {
    const unfinished = decision.reason === 'AlreadyRotated' ? unfinishedRotation(versions, now()) : undefined;
    if (unfinished?.from.version === nearExpiry.toLowerCase()) {
      const { from, to, rest } = unfinished;
      return rotated(key, from, await complete(key, to, rest, keys, log), audit, log);
    }
    const level = decision.needsPerson ? 'error' : 'info';
    log({ level, reason: decision.reason, message: REASONS[decision.reason], ...about });
    return { reason: decision.reason };
  }
  try {
    const created = await keys.rotate(key);
    const rest = completeRotation(decision.from, created);
    const completed = rest ? await complete(key, created, rest, keys, log) : created;
    return await rotated(key, decision.from, completed, audit, log);
  } catch (error) {
    const failure = describeFailure(error);
    const message = `${REASONS.RotationRefused} ${describe(failure)}`;
    if (failure.kind === 'refused' || failure.kind === 'forbidden') {
      log({ level: 'error', reason: 'RotationRefused', message, ...about });
    }
    // A refusal is final (imported material, an Azure Policy) and somebody has to look. A missing right may still
    // propagate, and everything else may pass: Event Grid delivers again for a day.
    if (failure.kind !== 'refused') throw error;
    return { reason: 'RotationRefused' };
  }
}

/**
 * Gives the new version its tags and expiry, and returns it as it is then. Without them it is better than none: it is
 * said, and the drift check finds it.
 *
 * @throws the SDK's error when it may pass: Event Grid delivers again, and the rotation is completed then
 */
async function complete(
  key: ManagedKey,
  created: KeyVersion,
  rest: RotationCompletion,
  keys: Keys,
  log: Log,
): Promise<KeyVersion> {
  try {
    return await keys.updateVersion(key, created.version, rest);
  } catch (error) {
    const failure = describeFailure(error);
    const message = `${REASONS.RotationIncomplete} ${describe(failure)}`;
    log({ level: 'error', reason: 'RotationIncomplete', message, key: key.id, version: created.version });
    if (mayPass(failure)) throw error;
    return created;
  }
}

async function rotated(
  key: ManagedKey,
  from: KeyVersion,
  to: KeyVersion,
  audit: RecordAudit,
  log: Log,
): Promise<RotationOutcome> {
  const outcome = { to: to.id, expiresOn: to.expiresOn?.toISOString() };
  log({ level: 'info', reason: 'Rotated', message: REASONS.Rotated, key: key.id, version: from.version, ...outcome });
  const details = { from: from.id, ...outcome, because: 'KeyNearExpiry' };
  await audit({ action: 'key.rotate', reason: 'Rotated', resource: key.id, details }, AUDIT_WAIT_MS);
  return { reason: 'Rotated', to: to.id };
}
