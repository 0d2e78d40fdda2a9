import type { RecordAudit } from '../../audit/audit-trail.ts';
import { describeError } from '../../azure/failure.ts';
import type { Log } from '../../errors/log.ts';
import { REASONS, type Reason } from '../../errors/reasons.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { recordOverdueChanges } from '../../orders/change-orders.ts';
import type { OrdersStore } from '../../orders/standing-orders-client.ts';
import type { RetireServices } from '../../retirement/evidence.ts';
import { finishRetirements, listHalfRetired, recordRetirement } from '../../retirement/retire-versions.ts';
import { needsRepair } from '../../revocation/keep-revoked.ts';
import type { Cause } from '../../work/messages.ts';
import type { RequestKey } from '../../work/work-queue-client.ts';

/** Deadline for reading all users of a key. Milliseconds. */
const READ_MS = 60_000;

export type RecoverServices = RetireServices & {
  readonly audit: RecordAudit;
  readonly orderStore: OrdersStore;
  readonly requestKey: RequestKey;
  readonly now: () => Date;
};

/**
 * Finishes the work of dead processes, even if the settings forbid fixes by the drift check. Idempotent. Never
 * throws.
 *
 * @param keys managed keys with readable versions
 */
export async function recoverOverdue(
  keys: readonly { readonly key: ManagedKey; readonly versions: readonly KeyVersion[] }[],
  cause: Cause,
  services: RecoverServices,
  log: Log,
): Promise<void> {
  const { now, requestKey } = services;
  const correlationId = cause.ref;
  const attempt = async (step: () => Promise<void>, reason: Reason, what: string, key?: ManagedKey): Promise<void> => {
    try {
      await step();
    } catch (error) {
      log({ level: 'error', reason, message: `${what}: ${describeError(error)}`, key: key?.id, correlationId });
    }
  };

  for (const { key, versions } of keys) {
    if (!needsRepair(versions, now())) continue;
    const what = 'The key does not match its last revocation or restore, and the app failed to request the repair';
    await attempt(() => requestKey(key.id, cause), 'StillOpen', what, key);
  }

  const what = `${REASONS.DriftFixFailed} Records of standing orders may be missing in the audit trail`;

  await attempt(() => recoverOrderRecords(services, correlationId, log), 'DriftFixFailed', what);

  for (const { key, versions } of keys) {
    if (listHalfRetired(versions, now()).length === 0) continue;
    const finish = async () => {
      for await (const one of finishRetirements(key, READ_MS, services)) {
        await recordRetirement(key, one, correlationId, services, log);
      }
    };

    await attempt(finish, 'DriftFixFailed', 'The app failed to finish an interrupted retirement', key);
  }
}

/** Appends records of pauses, resumes and re-keys whose process failed to append them. */
async function recoverOrderRecords(services: RecoverServices, correlationId: string, log: Log): Promise<void> {
  const orders = await recordOverdueChanges(services);
  if (orders.length === 0) return;
  const message = 'The app appended missing records of standing orders to the audit trail.';
  log({ level: 'warning', reason: 'DriftFixed', message, orders, correlationId });
}
