import { known } from '../azure/read-or-why.ts';
import type { Log } from '../log.ts';
import { planKeepRevoked } from '../revocation/revocation.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { KeySubject } from './checks/subjects.ts';
import type { DriftRun } from './drift-run.ts';
import { type FixServices, fix } from './fixes.ts';
import type { DriftReport, Finding } from './report.ts';
import { type RetirementServices, retireVersions } from './retire.ts';

export type ApplyServices = FixServices & RetirementServices;

/** Acts on what was found, as far as the settings let it. Everything in it may be done twice; it never throws. */
export async function apply(
  { keys, findings }: { readonly keys: readonly KeySubject[]; readonly findings: readonly Finding[] },
  run: DriftRun,
  services: ApplyServices,
  log: Log,
): Promise<Pick<DriftReport, 'fixes' | 'retirements'>> {
  await keepRevoked(keys, run.id, services, log);
  const fixes = await fix(findings, run.id, services, log);
  // One key after the other: a proof reads the whole fleet.
  const retirements: DriftReport['retirements'] = [];
  for (const { key } of keys) retirements.push(...(await retireVersions(key, run, services, log)));
  return { fixes, retirements };
}

/** A version that appeared while its key is revoked is no drift to be exempted: the key is looked at, whatever is set. */
async function keepRevoked(
  keys: readonly KeySubject[],
  id: string,
  { queue, now }: { readonly queue: WorkQueue; readonly now: () => Date },
  log: Log,
): Promise<void> {
  for (const { key, versions } of keys) {
    if (planKeepRevoked(known(versions) ?? []).length === 0) continue;
    const cause = { by: 'drift', ref: id, since: now().toISOString() };
    try {
      await queue.send(KEY_WORK, { kind: 'key', key: key.id, cause, attempt: 0 });
    } catch (error) {
      const message = `The key is revoked and has an enabled version, and cannot be put to work: ${String(error)}`;
      log({ level: 'error', reason: 'StillOpen', message, key: key.id });
    }
  }
}
