import { BREAK_GLASS_AUDIT_WAIT_MS } from '../audit/audit-trail.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { DAY_MS } from '../formats/spans.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { RevocationWork } from '../work/messages.ts';
import { DONE, type Outcome, toOutcome } from '../work/outcome.ts';
import type { RequestKey } from '../work/work-queue-client.ts';
import { applyChanges } from './apply-changes.ts';
import { disableUnder, finish, type KeepRevokedServices, keepRevoked } from './keep-revoked.ts';
import type { KeptTrail, KeyTrail, RevocationEvent } from './key-trail.ts';
import { recordFound, recordKept } from './record-found.ts';
import { planReopenLost } from './restore-plans.ts';
import { isNewer, readRevocation } from './revocation.ts';
import { closedOn, planRepair, type VersionChange } from './revocation-plans.ts';

interface VerifyServices extends KeepRevokedServices {
  readonly settings: { readonly vaults: ManagedVaults };
  readonly keyTrail: KeyTrail;
  readonly keptTrail: KeptTrail;
  readonly requestKey: RequestKey;
}

/** How far back the trail is read, in milliseconds. No write of a call takes effect later. */
export const LOOKED_BACK_MS = DAY_MS;

/**
 * Verifies a key some time after a revocation or restore, because a late write of the app may have changed its records.
 * The write may have removed the record from the only version that had it, or restored a record that a restore removed.
 *
 * The message names the key and has no authority. The key's tags and its audit records decide who revoked, who
 * restored, and which versions. Idempotent: any writer of the queue may send the message, at any time.
 */
export async function verifyRevocation(work: RevocationWork, services: VerifyServices, log: Log): Promise<Outcome> {
  const key = services.settings.vaults.key(work.key);
  if (!key) {
    return {
      outcome: 'reject',
      reason: 'VaultNotManaged',
      detail: `The app does not manage the vault of ${work.key}.`,
    };
  }

  try {
    const since = new Date(services.now().getTime() - LOOKED_BACK_MS);
    const read = await services.keyTrail(key, since).then(
      (events) => ({ events }),
      (error: unknown) => ({ error }),
    );
    if ('events' in read) await repair(key, read.events, services, log);

    const { versions } = await keepRevoked(key, services, log, { alsoLate: true });

    await requestRestoredUses(key, versions, work, since, services);

    // After what the tags alone can decide, which does not need the trail.
    if ('error' in read) throw read.error;

    await recordFound(key, versions, work, { events: read.events, since }, services);
    await recordKept(key, versions, { events: read.events, since }, services);

    return DONE;
  } catch (error) {
    return toOutcome(error);
  }
}

/** Requests a reconcile of the uses of a restored key, because the call that restored it may have died before that. */
async function requestRestoredUses(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  { cause }: RevocationWork,
  since: Date,
  { requestKey, now }: Pick<VerifyServices, 'requestKey' | 'now'>,
): Promise<void> {
  const { open, restored } = readRevocation(versions, now());
  if (open || !restored || closedOn(versions, restored, now()) < since) return;
  await requestKey(key.id, { by: 'restore', ref: cause.ref, since: now().toISOString() });
}

/** Repairs effects of late writes, based on the audit records that the calls wrote. */
async function repair(key: ManagedKey, events: readonly RevocationEvent[], services: KeepRevokedServices, log: Log) {
  const { keys, now } = services;
  const own = events.filter(({ isFound }) => !isFound).sort(newerFirst);
  const revokes = own.filter(({ did }) => did === 'revoke');
  const [lastRestore] = own.filter(({ did }) => did === 'restore');
  let versions = await keys.listVersions(key);

  for (const { revocation, carriers } of revokes) {
    if (lastRestore && !isNewer(revocation, lastRestore.revocation)) continue;

    const changes = planRepair(versions, revocation, carriers, now());
    if (changes.length === 0) continue;

    await disableUnder(key, revocation, changes, services, log);
    versions = await keys.listVersions(key);
  }

  const { open } = readRevocation(versions, now());
  if (open && lastRestore && !isNewer(open, lastRestore.revocation)) {
    await finish(key, lastRestore.revocation, lastRestore.by, versions, services, log);
    versions = await keys.listVersions(key);
  }

  for (const { revocation, carriers } of revokes) {
    // The first wave enables, the second marks as restored.
    for (let wave = 1; wave <= 2; wave += 1) {
      const lost = planReopenLost(versions, revocation, carriers, now());
      if (lost.length === 0) break;

      await reopenLost(key, revocation.id, lost, services, log);
      versions = await keys.listVersions(key);
    }
  }
}

function newerFirst(a: RevocationEvent, b: RevocationEvent): number {
  return Number(isNewer(b.revocation, a.revocation)) - Number(isNewer(a.revocation, b.revocation));
}

async function reopenLost(
  key: ManagedKey,
  revocation: string,
  lost: readonly VersionChange[],
  services: KeepRevokedServices,
  log: Log,
): Promise<void> {
  const applied = await applyChanges(key, lost, services);
  const failed = applied.find(({ answer }) => !answer);
  if (failed) throw new Error(`The app could not enable version ${failed.change.version.version} of ${key.id}.`);

  const versions = applied
    .filter(({ written, change }) => written && change.enabled)
    .map(({ change }) => change.version.version);
  if (versions.length === 0) return;

  log({ level: 'warning', reason: 'RestoreFinished', message: REASONS.RestoreFinished, key: key.id, revocation });

  const details = { revocation, versions };
  const entry = { action: 'key.finishRestore', reason: 'RestoreFinished', resource: key.id, details } as const;

  await services.audit(entry, BREAK_GLASS_AUDIT_WAIT_MS);
}
