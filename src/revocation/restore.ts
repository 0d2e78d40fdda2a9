import { z } from 'zod';
import { BREAK_GLASS_AUDIT_WAIT_MS } from '../audit/audit-trail.ts';
import type { Log } from '../errors/log.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RequestKey } from '../work/work-queue-client.ts';
import { type RevocationCall, reconcileRestored, requestPasses, watchEffect } from './follow-ups.ts';
import { type ComparedRestoration, compareWithTrail, describeLeftDisabled } from './left-disabled.ts';
import {
  type Audited,
  type BesideServices,
  createRecordId,
  NOT_AUDITED,
  toAuditEntry,
  writeDown,
} from './record-revocation.ts';
import { isComplete, type RestoreServices, restoreKey } from './restore-key.ts';

/** Whether an account can use the key after the restore. */
export const ACCOUNT_READINESS = z.object({
  account: z.string(),
  ready: z.union([z.boolean(), z.literal('unknown')]),
  missing: z.array(z.string()).describe('Problems to fix before the account can use the key again.'),
});
export type AccountReadiness = z.output<typeof ACCOUNT_READINESS>;

interface RestoreUseCase extends RestoreServices, BesideServices {
  readonly requestKey: RequestKey;
  /** Checks whether each dependent can use the key. Runs beside the restore and never throws. */
  readonly readiness: (
    key: ManagedKey,
  ) => Promise<{ accounts: readonly AccountReadiness[]; warnings: readonly string[] }>;
  readonly dualControl: boolean;
}

export interface RestoredKey extends ComparedRestoration, Audited {
  readonly accounts: readonly AccountReadiness[];
  /** Failed reads and writes. */
  readonly warnings: readonly string[];
}

/**
 * Restores a key for the API and the command line: exactly the versions of the named revocation, by a second person.
 * The result lists the problems that still prevent an account's access, so operators do not wait in vain. Afterwards
 * the app checks every dependent.
 *
 * @throws the SDK's error when the app cannot list the versions; `KeyNotRecoveredError`
 */
export async function restore(
  key: ManagedKey,
  revocation: string,
  call: RevocationCall,
  services: RestoreUseCase,
  log: Log,
): Promise<RestoredKey> {
  const { dualControl } = services;
  const order = { revocation, restoredBy: call.caller.objectId, dualControl };
  const reading = services.readiness(key);
  const passes = requestPasses(key, 'restore', call, services);

  // If the process dies, a later verification finishes the restore by this record. Its separate id keeps the trail from
  // dropping the final record as a duplicate.
  const recordBegun: RestoreServices['recordBegun'] = async ({ id: resource }, begun) => {
    const id = `${createRecordId('key.restore', begun.id, call.caller.objectId)}/begun`;
    const done = { id, action: 'key.restore', reason: 'RestoreBegun', resource, revocation: begun } as const;
    await services.audit(toAuditEntry(done, call), BREAK_GLASS_AUDIT_WAIT_MS);
  };

  const byTags = await restoreKey(key, order, { ...services, recordBegun });
  const result = await compareWithTrail(byTags, order, services);
  const { key: spelled, end, recovered, versions } = result;
  const leftDisabled = describeLeftDisabled(result.left);

  if (!needsRecord(result)) {
    await passes;
    return { ...result, ...NOT_AUDITED, accounts: [], warnings: leftDisabled };
  }

  const [access, audited, ...notDone] = await Promise.all([
    reading,
    writeDown(
      {
        action: 'key.restore',
        resource: spelled.id,
        reason: end,
        revocation: result.revocation,
        details: { complete: isComplete(end), recovered, versions },
      },
      call,
      services,
      log,
    ),
    passes,
    reconcileRestored(spelled, call, services),
    watchEffect(spelled, 'restore', call, services),
  ]);

  const warnings = [...leftDisabled, ...access.warnings, ...notDone.flat()];

  return { ...result, ...audited, accounts: access.accounts, warnings };
}

/**
 * Returns whether a restore needs an audit record. If the tags no longer show the revocation and its versions are still
 * disabled, it gets none: with a record of the restore, a later pass would no longer write the tags again.
 */
function needsRecord({ end, recovered, changed, isByTrail }: ComparedRestoration): boolean {
  if (isByTrail) return end === 'Restored';
  return recovered || changed || end === 'RestoreIncomplete';
}
