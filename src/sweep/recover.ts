import type { RecordAudit } from '../audit/audit-trail.ts';
import { errorText } from '../azure/failure.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { recordOverdueChanges } from '../orders/change-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { REASONS } from '../reasons.ts';
import { finishRetirements, halfRetired } from '../retirement/confirm-retirement.ts';
import type { RetireServices } from '../retirement/evidence.ts';
import { recordRetirement } from '../retirement/retire-versions.ts';
import { needsRepair } from '../revocation/keep-revoked.ts';
import type { Cause } from '../work/messages.ts';
import type { RequestKey, WorkQueue } from '../work/work-queue-client.ts';

/** Deadline for reading all users of a key. Milliseconds. */
const READ_MS = 60_000;

export type RecoverServices = RetireServices & {
  readonly audit: RecordAudit;
  readonly orderStore: OrdersStore;
  readonly queue: WorkQueue;
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
  const { ref } = cause;
  for (const { key, versions } of keys) {
    if (!needsRepair(versions, services.now())) continue;
    await attempt(
      () => services.requestKey(key.id, cause),
      (why) => {
        const message = `The key does not match its last revocation or restore, and the app failed to request the repair: ${why}`;
        log({ level: 'error', reason: 'StillOpen', message, key: key.id });
      },
    );
  }
  await recoverOrderRecords(services, ref, log);
  for (const { key, versions } of keys) {
    if (halfRetired(versions, services.now()).length === 0) continue;
    await attempt(
      async () => {
        for await (const one of finishRetirements(key, READ_MS, services)) {
          await recordRetirement(key, one, ref, services, log);
        }
      },
      (why) => {
        const message = `The app failed to finish an interrupted retirement: ${why}`;
        log({ level: 'error', reason: 'DriftFixFailed', message, resource: key.id, correlationId: ref });
      },
    );
  }
}

/** Appends records of pauses, resumes and re-keys whose process failed to append them. */
async function recoverOrderRecords(services: RecoverServices, report: string, log: Log): Promise<void> {
  await attempt(
    async () => {
      const orders = await recordOverdueChanges(services);
      if (orders.length === 0) return;
      const message = 'The app appended missing records of standing orders to the audit trail.';
      log({ level: 'warning', reason: 'DriftFixed', message, orders, report });
    },
    (why) => {
      const message = `${REASONS.DriftFixFailed} Records of standing orders may be missing in the audit trail: ${why}`;
      log({ level: 'error', reason: 'DriftFixFailed', message, report });
    },
  );
}

async function attempt(step: () => Promise<void>, fail: (why: string) => void): Promise<void> {
  try {
    await step();
  } catch (error) {
    fail(errorText(error));
  }
}
