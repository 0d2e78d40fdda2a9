import type { TrailReport } from '../audit/verify-trail.ts';
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
  };

/** Repairs what was found, as far as the settings allow. Idempotent. Never throws. */
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
  reportTrail(known(trail), run.id, log);
  try {
    await putWork(indexWork(subscriptions, await services.fleet.listings(), now), cause, services);
  } catch (error) {
    const message = `${REASONS.DriftFixFailed} The index is not put right: ${describe(describeFailure(error))}`;
    log({ level: 'error', reason: 'DriftFixFailed', message, report: run.id });
  }
  return { fixes: await fix(findings, run.id, services, log) };
}

function reportTrail(trail: TrailReport | undefined, report: string, log: Log): void {
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
