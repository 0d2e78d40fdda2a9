import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { known } from '../azure/read-or-why.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { finishRetirements, halfRetired } from '../retirement/finish-retirements.ts';
import { type Retirement, type RetireServices, retirementEntry, retireUnused } from '../retirement/retire-versions.ts';
import { LEAST_RETIRE_HOURS } from '../retirement/retirement.ts';
import type { Settings } from '../settings/settings.ts';
import type { FixAction } from './checks/check.ts';
import type { KeySubject } from './checks/subjects.ts';
import type { Fix } from './report.ts';

/** One look at everything that uses a key; there are two, and the check has an end. Milliseconds. */
const LOOK_MS = 60_000;
/** Milliseconds. */
const AUDIT_WAIT_MS = 5_000;

type RetireByLogServices = RetireServices & {
  readonly settings: Settings;
  readonly audit: RecordAudit;
};

/** Retires one version, where the log proves that nobody uses it by what is read now. It never disables on less. */
export async function retireByLog(
  { key: id, version }: Extract<FixAction, { kind: 'retire' }>,
  correlationId: string,
  services: RetireByLogServices,
  log: Log,
): Promise<Pick<Fix, 'outcome' | 'detail'>> {
  const key = services.settings.vaults.key(id);
  if (!key) return { outcome: 'failed', detail: REASONS.VaultNotManaged };
  const hours = services.settings.drift.retireAfterHours ?? LEAST_RETIRE_HOURS;
  const options = { version, hours, lookMs: LOOK_MS, disable: true, proof: 'log' } as const;
  for await (const one of retireUnused(key, options, services)) {
    await tell(key, one, correlationId, services, log);
    if (one.outcome === 'retired') return { outcome: 'done', detail: `Version ${version} is disabled.` };
    if ('reasons' in one) {
      const left = one.outcome === 'kept' || one.outcome === 'unproven';
      return { outcome: left ? 'waiting' : 'failed', detail: one.reasons.join(' ') };
    }
  }
  return { outcome: 'done', detail: 'It is disabled by now.' };
}

/** Gives versions that a process left half retired their second look, whatever the settings let the app do. It never throws. */
export async function finishAllRetirements(
  subjects: readonly KeySubject[],
  correlationId: string,
  services: RetireByLogServices & { readonly now: () => Date },
  log: Log,
): Promise<void> {
  for (const { key, versions } of subjects) {
    if (halfRetired(known(versions) ?? [], services.now()).length === 0) continue;
    try {
      for await (const one of finishRetirements(key, LOOK_MS, services)) {
        await tell(key, one, correlationId, services, log);
      }
    } catch (error) {
      const message = `A retirement that was broken off could not be finished: ${describe(describeFailure(error))}`;
      log({ level: 'error', reason: 'DriftFixFailed', message, resource: key.id, correlationId });
    }
  }
}

async function tell(
  key: ManagedKey,
  retirement: Retirement,
  correlationId: string,
  { audit }: RetireByLogServices,
  log: Log,
): Promise<void> {
  const entry = retirementEntry(key, retirement);
  if (!entry) return;
  const { reason } = entry;
  await audit({ ...entry, correlationId, details: { ...entry.details, proof: 'log' } }, AUDIT_WAIT_MS);
  const level = reason === 'RetirementNotUndone' ? 'error' : reason === 'VersionRetired' ? 'info' : 'warning';
  const next = retirement.outcome === 'notUndone' ? ` ${retirement.nextStep}.` : '';
  const resource = retirement.version.id;
  log({ level, reason, message: `${REASONS[reason]}${next}`, resource, correlationId });
}
