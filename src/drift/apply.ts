import type { TrailReport } from '../audit/verify-trail.ts';
import { describe, describeFailure, errorText } from '../azure/failure.ts';
import { known } from '../azure/read-or-why.ts';
import { splitScope } from '../azure/resource-id.ts';
import type { RekeyStore } from '../fleet/rekey-order.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { reviveRekeys } from '../rekey/revive.ts';
import { needsLook } from '../revocation/keep-revoked.ts';
import type { ControlStore } from '../rollout/control-client.ts';
import { recordFoundOrders } from '../rollout/record-orders.ts';
import type { PoisonKeeper } from '../work/keep-poison-client.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { KeySubject } from './checks/subjects.ts';
import type { DriftRun } from './drift-run.ts';
import { type FixServices, fix } from './fixes.ts';
import type { DriftReport, Finding } from './report.ts';
import { finishAllRetirements } from './retire-by-log.ts';

export type ApplyServices = FixServices & {
  readonly driftStorage: PoisonKeeper;
  readonly rekeys: RekeyStore;
  readonly controlStore: ControlStore;
  readonly now: () => Date;
};

/** Acts on what was found, as far as the settings let it. Everything in it may be done twice; it never throws. */
export async function apply(
  {
    keys,
    trail,
    findings,
  }: {
    readonly keys: readonly KeySubject[];
    readonly trail?: TrailReport | undefined;
    readonly findings: readonly Finding[];
  },
  run: DriftRun,
  services: ApplyServices,
  log: Log,
): Promise<Pick<DriftReport, 'fixes'>> {
  await keepRevoked(keys, run.id, services, log);
  await keepAccountsRevoked(findings, run.id, services, log);
  await keepPoison(services, run.id, log);
  await keepRekeys(services, run.id, log);
  await recordLostOrders(services, run.id, log);
  await finishAllRetirements(keys, run.id, services, log);
  tellTrail(trail, run.id, log);
  return { fixes: await fix(findings, run.id, services, log) };
}

/** A re-key whose next step was lost is gone on with. */
async function keepRekeys(services: ApplyServices, report: string, log: Log): Promise<void> {
  try {
    const revived = await reviveRekeys(services);
    if (revived.length > 0) {
      log({
        level: 'warning',
        reason: 'DriftFixed',
        message: 'A re-key whose step was lost goes on.',
        revived,
        report,
      });
    }
  } catch (error) {
    const message = `${REASONS.RekeysUnreadable} ${describe(describeFailure(error))}`;
    log({ level: 'warning', reason: 'RekeysUnreadable', message, report });
  }
}

/** Pauses and resumes that are not known to be in the audit trail are recorded. */
async function recordLostOrders(services: ApplyServices, report: string, log: Log): Promise<void> {
  try {
    const orders = await recordFoundOrders(services, log);
    if (orders.length > 0) {
      const message = 'Not all pauses and resumes were known to be in the audit trail: what is missing is recorded.';
      log({ level: 'warning', reason: 'DriftFixed', message, orders, report });
    }
  } catch (error) {
    const message = `${REASONS.DriftFixFailed} Not all pauses and resumes may be in the audit trail: ${errorText(error)}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report });
  }
}

function tellTrail(trail: TrailReport | undefined, report: string, log: Log): void {
  if (!trail) return;
  const { findings, last } = trail;
  const [first] = findings;
  if (first) {
    const message = `${REASONS.AuditTrailBroken} ${findings.length} found; the first: ${first.file} ${first.reason}. ${first.message}`;
    log({ level: 'error', reason: 'AuditTrailBroken', message, findings: findings.slice(0, 50), report });
  } else if (last) {
    const about = { file: last.file, receipt: `${last.seq}:${last.hash}`, report };
    log({ level: 'info', reason: 'AuditTrailVerified', message: REASONS.AuditTrailVerified, ...about });
  }
}

/** What would have expired was moved by the host, for want of anybody else: nobody has said so yet. */
async function keepPoison(
  { driftStorage }: Pick<ApplyServices, 'driftStorage'>,
  report: string,
  log: Log,
): Promise<void> {
  try {
    for (const { queue, text } of await driftStorage.keepPoison()) {
      const message = `A message of ${queue} is in ${queue}-poison: each time it was delivered, the function failed or was ended. Look for why, then run \`npm run replay -- ${queue}\`.`;
      log({ level: 'error', reason: 'Poisoned', message, queue, entry: text.slice(0, 2_000), report });
    }
  } catch (error) {
    const message = `${REASONS.DriftFixFailed} Poison messages may expire: ${describe(describeFailure(error))}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report });
  }
}

/**
 * A version that is open while its key is revoked, or a restore that was broken off, is no drift to be exempted: the key is
 * looked at, whatever is set.
 */
async function keepRevoked(
  keys: readonly KeySubject[],
  id: string,
  { queue, now }: { readonly queue: WorkQueue; readonly now: () => Date },
  log: Log,
): Promise<void> {
  for (const { key, versions } of keys) {
    if (!needsLook(known(versions) ?? [], now())) continue;
    const cause = { by: 'drift', ref: id, since: now().toISOString() };
    try {
      await queue.send(KEY_WORK, { kind: 'key', key: key.id, cause, attempt: 0 });
    } catch (error) {
      const message = `The key is not as its last revocation or restore left it, and cannot be put to work: ${String(error)}`;
      log({ level: 'error', reason: 'StillOpen', message, key: key.id });
    }
  }
}

/** What is revoked below its key and has access is looked at, whatever is set: the look tells a late write from a person's. */
async function keepAccountsRevoked(
  findings: readonly Finding[],
  id: string,
  { queue, now }: { readonly queue: WorkQueue; readonly now: () => Date },
  log: Log,
): Promise<void> {
  for (const { resource } of findings.filter(({ reason }) => reason === 'AccountRevocationNotHeld')) {
    const cause = { by: 'drift', ref: id, since: now().toISOString() };
    try {
      const of = splitScope(resource);
      await queue.send(KEY_WORK, { kind: 'accountRevocation', ...of, records: false, cause, attempt: 0 });
    } catch (error) {
      const message = `${REASONS.AccountRevocationNotHeld} It cannot be put to work: ${String(error)}`;
      log({ level: 'error', reason: 'AccountRevocationNotHeld', message, account: resource });
    }
  }
}
