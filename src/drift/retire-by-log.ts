import type { RecordAudit } from '../audit/audit-trail.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { recordRetirement } from '../retirement/finish-retirements.ts';
import { type RetireServices, retireUnused } from '../retirement/retire-versions.ts';
import { LEAST_RETIRE_HOURS } from '../retirement/retirement.ts';
import type { Settings } from '../settings/settings.ts';
import type { FixAction } from './checks/check.ts';
import type { Fix } from './report.ts';

/** One look at everything that uses a key; there are two, and the check has an end. Milliseconds. */
const LOOK_MS = 60_000;

type RetireByLogServices = RetireServices & {
  readonly settings: Settings;
  readonly audit: RecordAudit;
};

/** Retires one version, where the log proves that it is unused, by what is read now. It never disables on less. */
export async function retireByLog(
  { key: id, version }: Extract<FixAction, { kind: 'retire' }>,
  correlationId: string,
  services: RetireByLogServices,
  log: Log,
): Promise<Pick<Fix, 'outcome' | 'detail'>> {
  const key = services.settings.vaults.key(id);
  if (!key) return { outcome: 'failed', detail: REASONS.VaultNotManaged };
  const options = { version, hours: LEAST_RETIRE_HOURS, lookMs: LOOK_MS, disable: true, proof: 'log' } as const;
  for await (const one of retireUnused(key, options, services)) {
    await recordRetirement(key, one, correlationId, services, log);
    if (one.outcome === 'retired') return { outcome: 'done', detail: `Version ${version} is disabled.` };
    if ('reasons' in one) {
      const left = one.outcome === 'kept' || one.outcome === 'unproven';
      return { outcome: left ? 'waiting' : 'failed', detail: one.reasons.join(' ') };
    }
  }
  return { outcome: 'done', detail: 'It is disabled by now.' };
}
