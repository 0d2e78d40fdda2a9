import { keepHead, type TrailLook, type WatchServices } from '../audit/watch-trail.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { known } from '../azure/read-or-why.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type RecoverServices, recoverOverdue } from '../sweep/recover.ts';
import type { DriftRun } from './drift-run.ts';
import { type FixServices, fix } from './fixes.ts';
import type { Gathered } from './gather/gather.ts';
import { indexWork, putWork } from './put-work.ts';
import type { DriftReport, Finding } from './report.ts';

export type ApplyServices = FixServices &
  RecoverServices & {
    readonly fleet: Pick<FleetIndex, 'listings'>;
    readonly auditWatch?: WatchServices | undefined;
  };

/** Acts on what was found, as far as the settings let it. Everything in it may be done twice; it never throws. */
export async function apply(
  { keys, subscriptions, trail }: Pick<Gathered, 'keys' | 'subscriptions' | 'trail'>,
  findings: readonly Finding[],
  run: DriftRun,
  services: ApplyServices,
  log: Log,
): Promise<Pick<DriftReport, 'fixes'>> {
  const now = services.now();
  const cause = { by: 'drift', ref: run.id, since: now.toISOString() };
  const readKeys = keys.flatMap(({ key, versions }) =>
    'value' in versions ? [{ key, versions: versions.value }] : [],
  );
  await recoverOverdue(readKeys, cause, services, log);
  await keepTrail(known(trail), services, run.id, log);
  try {
    const results = subscriptions.map(({ result }) => result);
    await putWork(indexWork(results, await services.fleet.listings(), now), cause, services);
  } catch (error) {
    const message = `${REASONS.DriftFixFailed} The index is not put right: ${describe(describeFailure(error))}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report: run.id });
  }
  return { fixes: await fix(findings, run.id, services, log) };
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
