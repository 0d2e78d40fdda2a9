import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log, LogLevel } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import {
  type Retirement as Retired,
  type RetireServices,
  retirementEntry,
  retireUnused,
} from '../retirement/retire-versions.ts';
import type { Settings } from '../settings/settings.ts';
import type { Retirement } from './report.ts';

/** How long one look at a whole fleet may take, in milliseconds. */
const LOOK_MS = 10 * 60_000;
const AUDIT_TIMEOUT_MS = 5_000;

export type RetirementServices = RetireServices & { readonly settings: Settings; readonly audit: RecordAudit };

/**
 * Retires old versions of a key that provably nobody uses, if the settings ask for it, and writes down in the log and in
 * the audit trail what came of each. It never throws.
 *
 * @param run its id finds the check in the log and in the audit trail; its signal ends the looking
 */
export async function retireVersions(
  key: ManagedKey,
  run: { readonly id: string; readonly signal?: AbortSignal | undefined },
  services: RetirementServices,
  log: Log,
): Promise<Retirement[]> {
  const hours = services.settings.drift.retireAfterHours;
  if (hours === undefined) return [];
  const retirements: Retirement[] = [];
  try {
    for await (const retired of retireUnused(key, { hours, lookMs: LOOK_MS, signal: run.signal }, services)) {
      // A version that is in force, or too young, is no news; and nothing is planned here.
      if (retired.outcome === 'planned' || (retired.outcome === 'kept' && !retired.superseded)) continue;
      retirements.push(await writeDown(key, retired, run.id, services, log));
    }
  } catch (error) {
    const detail = describe(describeFailure(error));
    const message = `${REASONS.RetirementRefused} ${detail}`;
    log({ level: 'warning', reason: 'RetirementRefused', message, key: key.id, correlationId: run.id });
    retirements.push({ version: key.id, outcome: 'failed', detail });
  }
  return retirements;
}

type Done = Exclude<Retired, { outcome: 'planned' }>;

async function writeDown(
  key: ManagedKey,
  retired: Done,
  correlationId: string,
  services: { readonly audit: RecordAudit },
  log: Log,
): Promise<Retirement> {
  const { level, reason, outcome, detail } = inWords(retired);
  const { id, version } = retired.version;
  const successor = retired.outcome === 'retired' ? { successor: retired.successor.version } : {};
  const message = `${REASONS[reason]} ${retired.outcome === 'retired' ? id : detail}`;
  log({ level, reason, message, key: key.id, version, ...successor, correlationId });
  const entry = retirementEntry(key, retired);
  const written = entry && (await services.audit({ ...entry, correlationId }, AUDIT_TIMEOUT_MS));
  const notAudited = written && 'failed' in written ? ` ${written.failed}` : '';
  return { version: id, outcome, detail: `${detail}${notAudited}` };
}

function inWords(retired: Done): Pick<Retirement, 'outcome' | 'detail'> & { level: LogLevel; reason: Reason } {
  switch (retired.outcome) {
    case 'retired': {
      const detail = `${retired.uses.length} users show other versions.`;
      return { level: 'warning', reason: 'VersionRetired', outcome: 'retired', detail };
    }
    case 'undone': {
      const detail = `It was enabled again: ${retired.reasons.join(' ')}`;
      return { level: 'warning', reason: 'RetirementUndone', outcome: 'refused', detail };
    }
    case 'notUndone': {
      const detail = `It is disabled, and may be in use. ${retired.reasons.join(' ')} ${retired.nextStep}`;
      return { level: 'error', reason: 'RetirementNotUndone', outcome: 'failed', detail };
    }
    case 'kept':
      return { level: 'info', reason: 'RetirementRefused', outcome: 'refused', detail: retired.reasons.join(' ') };
  }
}
