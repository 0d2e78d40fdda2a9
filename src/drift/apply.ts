import type { ApprovalStore } from '../approvals/approval-store-client.ts';
import { reviveApprovals } from '../approvals/record-deeds.ts';
import { keepHead, type TrailLook, type WatchServices } from '../audit/watch-trail.ts';
import { describe, describeFailure, errorText } from '../azure/failure.ts';
import { known } from '../azure/read-or-why.ts';
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
  readonly approvals: Pick<ApprovalStore, 'unrecorded'>;
  readonly controlStore: ControlStore;
  readonly auditWatch?: WatchServices | undefined;
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
    readonly trail?: TrailLook | undefined;
    readonly findings: readonly Finding[];
  },
  run: DriftRun,
  services: ApplyServices,
  log: Log,
): Promise<Pick<DriftReport, 'fixes'>> {
  await keepRevoked(keys, run.id, services, log);
  await keepPoison(services, run.id, log);
  await keepRekeys(services, run.id, log);
  await keepUnrecorded('approvals', 'requests for approval', () => reviveApprovals(services), run.id, log);
  await keepUnrecorded('orders', 'pauses and resumes', () => recordFoundOrders(services, log), run.id, log);
  await finishAllRetirements(keys, run.id, services, log);
  await keepTrail(trail, services, run.id, log);
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

/** What people did, and whose record may have been lost, is looked for and recorded. */
async function keepUnrecorded(
  field: 'approvals' | 'orders',
  about: string,
  record: () => Promise<readonly string[]>,
  report: string,
  log: Log,
): Promise<void> {
  try {
    const ids = await record();
    if (ids.length > 0) {
      const message = `Not all ${about} were known to be on record: what is missing is recorded.`;
      log({ level: 'warning', reason: 'DriftFixed', message, [field]: ids, report });
    }
  } catch (error) {
    const message = `${REASONS.DriftFixFailed} Not all ${about} may be on record: ${errorText(error)}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report });
  }
}

/** Tells where the audit trail ends, in two places that whoever writes the trail need not be able to write. */
async function keepTrail(
  look: TrailLook | undefined,
  { auditWatch }: Pick<ApplyServices, 'auditWatch'>,
  report: string,
  log: Log,
): Promise<void> {
  if (!look || !auditWatch) return;
  const { findings, last } = look;
  if (findings.length > 0) {
    const message = `${REASONS.AuditTrailBroken} ${findings.length} found; the first: ${findings[0]?.file} ${findings[0]?.reason}. ${findings[0]?.message}`;
    log({ level: 'error', reason: 'AuditTrailBroken', message, findings: findings.slice(0, 50), report });
  }
  const unkept = (error: unknown): void => {
    const message = `${REASONS.AuditHeadUnsigned} ${describe(describeFailure(error))}`;
    log({ level: 'error', reason: 'AuditHeadUnsigned', message, head: last, report });
  };
  try {
    const kept = await keepHead(look, auditWatch);
    if (kept?.failure) unkept(kept.failure);
    if (kept) log({ level: 'info', reason: 'AuditHeadKept', message: REASONS.AuditHeadKept, head: kept.head, report });
  } catch (error) {
    unkept(error);
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
