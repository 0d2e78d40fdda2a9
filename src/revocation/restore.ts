import { BREAK_GLASS_AUDIT_WAIT_MS } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { RequestKey } from '../work/work-queue-client.ts';
import { type RevocationCall, reconcileRestored, requestPasses, watchEffect } from './follow-ups.ts';
import { type Audited, type BesideServices, NOT_AUDITED, recordId, writeDown } from './record-revocation.ts';
import { isComplete, type KeyRestoration, type RestoreServices, restoreKey } from './restore-key.ts';
import type { RevocationStamp } from './revocation.ts';

/** Whether an account could use the key once it is enabled. */
export interface AccountReadiness {
  readonly account: string;
  readonly ready: boolean | 'unknown';
  /** What has to be put right before the account can use the key again. */
  readonly missing: readonly string[];
}

interface RestoreUseCase extends RestoreServices, BesideServices {
  readonly requestKey: RequestKey;
  /** Whether each dependent could use the key; it is begun beside the restore and never throws. */
  readonly readiness: (
    key: ManagedKey,
  ) => Promise<{ accounts: readonly AccountReadiness[]; warnings: readonly string[] }>;
  readonly dualControl: boolean;
}

export interface RestoredKey extends KeyRestoration, Audited {
  readonly accounts: readonly AccountReadiness[];
  /** What could not be written or read. */
  readonly warnings: readonly string[];
}

/**
 * Restores a key: for the API and the command line. Exactly what the named revocation disabled, by a second person. What an
 * account still lacks is named, so that operators do not wait for access that cannot come back. Afterwards every dependent
 * is checked.
 *
 * @throws the SDK's error when the versions cannot be listed; `KeyNotRecoveredError`
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
  const recordBegun: RestoreServices['recordBegun'] = async (begunKey, begun) => {
    await services.audit(begunEntry(begunKey, begun, call), BREAK_GLASS_AUDIT_WAIT_MS);
  };
  const result = await restoreKey(key, order, { ...services, recordBegun });
  const { key: spelled, end, recovered, changed, versions } = result;
  if (!recovered && !changed && end !== 'RestoreIncomplete') {
    await passes;
    return { ...result, ...NOT_AUDITED, accounts: [], warnings: [] };
  }
  const [access, audited, ...notDone] = await Promise.all([
    reading,
    writeDown(
      {
        action: 'key.restore',
        resource: spelled.id,
        // A key that was recovered is back, whether or not it was revoked: that is a change too.
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
  return { ...result, ...audited, accounts: access.accounts, warnings: [...access.warnings, ...notDone.flat()] };
}

/**
 * Should the process die, a later verification finishes the restore by this record. It has an id of its own: what is recorded once
 * the restore is done is not taken for a repetition.
 */
function begunEntry(key: ManagedKey, revocation: RevocationStamp, call: RevocationCall): AuditEntry {
  const { caller, correlationId, why, ticket } = call;
  return {
    id: `${recordId('key.restore', revocation.id, caller.objectId)}/begun`,
    action: 'key.restore',
    reason: 'RestoreBegun',
    resource: key.id,
    caller,
    correlationId,
    details: { why, ticket, revocation },
  };
}
