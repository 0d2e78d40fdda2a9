import { describeFailure } from '../azure/failure.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Services } from '../services.ts';
import { describe } from '../work/outcome.ts';
import type { ManagedKey } from './managed-vaults.ts';
import { completeRotation, decideRotation } from './rotation.ts';

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
  services: Pick<Services, 'keys'>,
  log: Log,
): Promise<RotationOutcome> {
  const other = underWay.get(key.id);
  if (other) return other.then(() => ({ reason: 'AlreadyRotated' }));
  const rotation = rotate(key, nearExpiry, services, log).finally(() => underWay.delete(key.id));
  underWay.set(key.id, rotation);
  return rotation;
}

async function rotate(
  key: ManagedKey,
  nearExpiry: string,
  { keys }: Pick<Services, 'keys'>,
  log: Log,
): Promise<RotationOutcome> {
  const [versions, policy] = await Promise.all([keys.listVersions(key), keys.rotationPolicy(key)]);
  const decision = decideRotation(nearExpiry, versions, policy);
  const about = { key: key.id, version: nearExpiry };
  if (!decision.rotate) {
    const level = decision.needsPerson ? 'error' : 'info';
    log({ level, reason: decision.reason, message: REASONS[decision.reason], ...about });
    return { reason: decision.reason };
  }
  try {
    const created = await keys.rotate(key);
    const rest = completeRotation(decision.from, created);
    if (rest) await keys.updateVersion(key, created.version, rest);
    const expiresOn = (rest?.expiresOn ?? created.expiresOn)?.toISOString();
    log({ level: 'info', reason: 'Rotated', message: REASONS.Rotated, ...about, to: created.id, expiresOn });
    return { reason: 'Rotated', to: created.id };
  } catch (error) {
    const failure = describeFailure(error);
    if (failure.kind !== 'refused' && failure.kind !== 'forbidden') throw error;
    // Refused for good (imported material that cannot be rotated, a policy, a missing right): somebody has to look.
    const message = `${REASONS.RotationRefused} ${describe(failure)}`;
    log({ level: 'error', reason: 'RotationRefused', message, ...about });
    return { reason: 'RotationRefused' };
  }
}
