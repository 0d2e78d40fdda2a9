import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { RevocationWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { applyChanges } from './apply-changes.ts';
import { disableUnder, finish, type KeepRevokedServices, keepRevoked } from './keep-revoked.ts';
import { AUDIT_WAIT_MS, writeDownLater } from './record-revocation.ts';
import type { RestoreOnRecord } from './restore-on-record.ts';
import { planReopenLost } from './restore-plans.ts';
import { isNewer, type RevocationStamp, readRevocation, WAS_OFF } from './revocation.ts';
import { planRepair, type VersionChange } from './revocation-plans.ts';

interface SettleServices extends KeepRevokedServices {
  readonly settings: { readonly vaults: ManagedVaults };
  readonly restoreOnRecord: RestoreOnRecord;
}

/**
 * A second look some time after a revocation or a restore. A write of the app that was given up may still have taken effect
 * since: it may have taken the record off the only version that had it, or brought back one that was restored. The message
 * says what was done; whether it still stands is read from Key Vault.
 */
export async function settleRevocation(work: RevocationWork, services: SettleServices, log: Log): Promise<Outcome> {
  const key = services.settings.vaults.key(work.key);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  try {
    // What was not finished has no say: the mark of a restore that was broken off, in Key Vault, is what is gone by.
    if (work.finished) {
      await (work.did === 'revoke'
        ? settleRevoked(key, work, services, log)
        : settleRestored(key, work, services, log));
    }
    const { versions } = await keepRevoked(key, services, log, { alsoLate: true });
    const begun = work.records ? begunBy(work, versions, services.now()) : undefined;
    if (begun) await writeDownLater(key, work, begun, services);
    return DONE;
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

async function settleRevoked(key: ManagedKey, work: RevocationWork, services: KeepRevokedServices, log: Log) {
  const versions = await services.keys.listVersions(key);
  const [stamp, recorded] = [stampOf(work), recordedIn(work)];
  await disableUnder(key, stamp, planRepair(versions, stamp, recorded, services.now()), services, log);
  // Enabled, and then marked as restored.
  for (let seen = versions, wave = 1; wave <= 2; wave += 1) {
    const lost = planReopenLost(seen, stamp, recorded, services.now());
    if (lost.length === 0) return;
    await reopenLost(key, stamp, lost, services, log);
    seen = await services.keys.listVersions(key);
  }
}

async function reopenLost(
  key: ManagedKey,
  { id }: RevocationStamp,
  lost: readonly VersionChange[],
  services: KeepRevokedServices,
  log: Log,
): Promise<void> {
  const applied = await applyChanges(key, lost, services);
  const failed = applied.find(({ answer }) => !answer);
  if (failed) throw new Error(`Version ${failed.change.version.version} of ${key.id} could not be enabled.`);
  const versions = applied
    .filter(({ written, change }) => written && change.enabled)
    .map(({ change }) => change.version.version);
  if (versions.length === 0) return;
  log({ level: 'warning', reason: 'RestoreFinished', message: REASONS.RestoreFinished, key: key.id, revocation: id });
  const details = { revocation: id, versions };
  const entry = { action: 'key.finishRestore', reason: 'RestoreFinished', resource: key.id, details } as const;
  await services.audit(entry, AUDIT_WAIT_MS);
}

/**
 * Only for a restore that was let through: it may be finished without asking again who wants it. That it was, the audit trail
 * says: whoever may write the queue must not restore by a message what nobody has restored.
 */
async function settleRestored(key: ManagedKey, work: RevocationWork, services: SettleServices, log: Log) {
  const versions = await services.keys.listVersions(key);
  const { open } = readRevocation(versions, services.now());
  if (!open || isNewer(open, stampOf(work))) return;
  const restoredBy = work.call.caller.objectId;
  const revokedOn = await services.restoreOnRecord(work.revocation.id, restoredBy, new Date(work.cause.since));
  const stamp = { ...stampOf(work), ...(revokedOn ? { revokedOn } : {}) };
  if (revokedOn && !isNewer(open, stamp)) {
    await finish(key, stamp, restoredBy, versions, services, log);
    return;
  }
  const about = { key: key.id, revocation: stamp.id, by: restoredBy };
  log({ level: 'error', reason: 'RestoreUnrecorded', message: REASONS.RestoreUnrecorded, ...about });
}

/**
 * What took effect, as Key Vault shows it; undefined: nothing did. Its process may have died, or the call may have been
 * refused, before anything was written. When a restored revocation was made is never taken from the message: the record
 * that is written of it lets a later look restore.
 */
function begunBy(
  { did, revocation, call }: RevocationWork,
  versions: readonly KeyVersion[],
  now: Date,
): RevocationWork['revocation'] | undefined {
  const { records, restored } = readRevocation(versions, now);
  const me = call.caller.objectId.toLowerCase();
  const isRestored = restored?.id === revocation.id;
  if (did === 'restore') {
    if (!isRestored || restored.restoredBy.toLowerCase() !== me) return undefined;
    return { ...revocation, revokedOn: restored.revokedOn.toISOString() };
  }
  // A newer revocation may have replaced all its records: it names whom it has joined.
  const isMine = [...records.values()].some(
    ({ id, revokedBy, joined = [] }) => joined.includes(me) || (id === revocation.id && revokedBy.toLowerCase() === me),
  );
  return isRestored || isMine ? revocation : undefined;
}

function recordedIn({ versions }: RevocationWork): Map<string, boolean> {
  return new Map(
    versions.map((entry) => {
      const [version = '', off] = entry.split(' ');
      return [version, off !== WAS_OFF];
    }),
  );
}

function stampOf({ revocation }: RevocationWork): RevocationStamp {
  const { joined, ...stamp } = revocation;
  return { ...stamp, revokedOn: new Date(stamp.revokedOn), ...(joined ? { joined } : {}) };
}
