import type { StorageAccounts } from '../accounts/storage-client.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { describeError } from '../azure/failure.ts';
import { getLastName } from '../azure/resource-id.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { closedOn } from '../revocation/revocation-plans.ts';
import type { Settings } from '../settings/settings.ts';
import type { ProbeWork } from '../work/messages.ts';
import { DONE, type JobOutcome } from '../work/outcome.ts';
import { type AccountEffect, getProbedPlace, type KeyChange, type KeyEffect, toAccountKey } from './effect.ts';
import {
  isJudged,
  isOver,
  isSameChange,
  isSilent,
  listPendingAccounts,
  recordRound,
  scheduleNextProbe,
} from './effect-record.ts';
import type { EffectStore } from './effect-store-client.ts';
import { type DataServices, type ProbeTarget, probe } from './probe.ts';
import { findProbeTargets, type PlaceLists } from './probe-targets.ts';

/** Deadlines for finding the accounts and for probing them, in one round. Milliseconds. */
const FINDING_MS = 60_000;
const PROBE_MS = 60_000;
/** Maximum number of accounts that a log record names; the counts include all accounts. */
const MAX_NAMED = 100;

type ProbeServices = PlaceLists &
  DataServices & {
    readonly settings: Settings;
    readonly accounts: StorageAccounts;
    readonly subscriptions: Subscriptions;
    readonly effects: EffectStore;
    readonly keys: Pick<Keys, 'listVersions'>;
    readonly now: () => Date;
  };

/**
 * Runs one round: probes the services of every account that uses the key, and records the results. Rounds end after all
 * accounts show the expected effect, or after the waiting time. A round is safe to repeat. The key's tags decide the
 * expected effect and its start: the job only names the key.
 */
export async function probeKey(work: ProbeWork, services: ProbeServices, log: Log): Promise<JobOutcome> {
  const { settings, keys, effects, now } = services;
  const key = settings.vaults.key(work.key);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };

  try {
    // Read before the key: a round that replaces the stored effect later has read a newer state of the key.
    const before = await effects.read(key);
    const change = changeShown(await keys.listVersions(key), now());
    return change ? await followChange(key, change, before, work, services, log) : DONE;
  } catch (error) {
    return afterTrouble(describeError(error), work, now(), log);
  }
}

/**
 * Returns the last change of a key from its tags, with its expected effect: `blocked` by an open revocation, or `open`
 * after a restore. Undefined if the key was never revoked.
 */
function changeShown(versions: readonly KeyVersion[], now: Date): KeyChange | undefined {
  const { open, restored } = readRevocation(versions, now);
  if (open) return { expect: 'blocked', since: open.revokedOn.toISOString() };
  if (!restored) return undefined;
  // By Key Vault's clock, which may be behind the revoking instance's clock.
  const sinceMs = Math.max(closedOn(versions, restored, now).getTime(), restored.revokedOn.getTime() + 1);
  return { expect: 'open', since: new Date(sinceMs).toISOString() };
}

async function followChange(
  key: ManagedKey,
  change: KeyChange,
  before: KeyEffect | undefined,
  work: ProbeWork,
  services: ProbeServices,
  log: Log,
): Promise<JobOutcome> {
  const { effects, now } = services;
  const about = { key: key.id, ...change, cause: work.cause };
  if (isSameChange(before, change) && isOver(change, now()) && isJudged(before)) return DONE;

  const { targets, complete } = await targetsOf(key, before, change, services);
  const results = await probe(targets, services, PROBE_MS);
  const round = { key: key.id, change, complete: complete && !results.some(({ unlisted }) => unlisted), results };
  const after = await effects.update(key, (current) => {
    const isOurs = !current || isSameChange(current, change);
    const isUnchanged = before !== undefined && isSameChange(current, before.change);
    // Otherwise a later round has stored a newer change, whose record remains.
    return isOurs || isUnchanged ? recordRound(current, round) : current;
  });
  if (!isSameChange(after, change)) {
    log({ level: 'info', reason: 'ProbeSuperseded', message: REASONS.ProbeSuperseded, ...about });
    return DONE;
  }

  const next = scheduleNextProbe(after, now());

  report(after, next.next, about, log);

  return next.next === 'again' ? { outcome: 'again', delaySeconds: next.delaySeconds } : DONE;
}

/**
 * Handles an error of Key Vault or of the app's own storage. A time limit ends the probes, not a number of attempts: a
 * probe message in a poison queue would be useless after half an hour.
 */
function afterTrouble(detail: string, { key, cause }: ProbeWork, now: Date, log: Log): JobOutcome {
  if (!isOver(cause, now)) {
    return { outcome: 'retry', reason: 'ServiceUnavailable', detail, counts: false, delaySeconds: 15 };
  }
  const message = `The app failed to probe the accounts that use the key: ${detail}`;
  log({ level: 'error', reason: 'EffectNotSeen', message, key, cause });
  return DONE;
}

/**
 * Returns the recorded accounts if complete; otherwise searches for more, and keeps all recorded accounts. Lists only
 * the places that are not recorded.
 */
async function targetsOf(
  key: ManagedKey,
  before: KeyEffect | undefined,
  change: KeyChange,
  services: ProbeServices,
): Promise<{ targets: readonly ProbeTarget[]; complete: boolean }> {
  const recorded = (before?.accounts ?? []).map(recordedTarget);
  const same = isSameChange(before, change);
  if (same && before.complete) return { targets: recorded, complete: true };

  // An account that had no place before an earlier change may have one now.
  const known = recorded.filter(
    ({ service, places, unlisted }) =>
      !unlisted && (same || places.length > 0) && (service === 'file' || services.settings.probeBlobs),
  );
  const found = await findProbeTargets(key, byId(known), services, FINDING_MS);
  if (found.complete) return found;

  const targets = byId([...recorded, ...found.targets]);

  return { targets: [...targets.values()], complete: false };
}

function recordedTarget(effect: AccountEffect): ProbeTarget {
  const { account, service, why, unlisted } = effect;
  if (unlisted) return { account, service, places: [], why, unlisted };
  const place = getProbedPlace(effect);
  return { account, service, places: place === undefined ? [] : [place], isKnown: true };
}

function byId(targets: readonly ProbeTarget[]): ReadonlyMap<string, ProbeTarget> {
  return new Map(targets.map((target) => [toAccountKey(target), target]));
}

function report(effect: KeyEffect, next: 'done' | 'again' | 'givenUp', about: object, log: Log): void {
  const { refusedAfter } = effect;
  const { expect } = effect.change;
  const pending = listPendingAccounts(effect);
  const silent = effect.accounts.filter(isSilent);
  const total = effect.accounts.length;
  const seen = total - silent.length;
  const states =
    next === 'done'
      ? `${seen} of ${total} accounts were seen ${expect}.`
      : `${pending.length} of ${total} accounts were not seen ${expect}: ${names(pending)}.`;
  const unlisted = effect.complete ? '' : ' The app could not find every account.';
  const cannot = silent.length > 0 ? ` ${silent.length} cannot show the effect: ${names(silent)}.` : '';
  const message = `${states}${unlisted}${cannot}`;
  const counts = { accounts: total, pending: pending.length, silent: silent.length };

  if (next === 'again') {
    log({ level: 'info', reason: 'EffectNotShown', message, ...counts, ...about });
    return;
  }

  const isSeen = next === 'done' && (seen > 0 || total === 0);

  // A round without results is no error: the app may lack the role on purpose.
  const level = next === 'givenUp' ? 'error' : 'info';

  log({ level, reason: isSeen ? 'EffectSeen' : 'EffectNotSeen', message, ...counts, refusedAfter, ...about });
}

function names(effects: readonly AccountEffect[]): string {
  const shown = effects
    .slice(0, MAX_NAMED)
    .map((effect) => `${getLastName(effect.account)} (${effect.why ?? effect.state})`);
  return [...shown, ...(effects.length > MAX_NAMED ? ['…'] : [])].join(', ') || 'none';
}
