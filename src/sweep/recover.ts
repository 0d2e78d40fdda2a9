import type { ApprovalStore } from '../approvals/approval-store-client.ts';
import { reviveApprovals } from '../approvals/record-deeds.ts';
import type { RecordAudit } from '../audit/audit-trail.ts';
import { errorText } from '../azure/failure.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { recordOverdueChanges } from '../orders/record-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { REASONS } from '../reasons.ts';
import { finishRetirements, halfRetired } from '../retirement/finish-retirements.ts';
import { recordRetirement } from '../retirement/record-retirement.ts';
import type { RetireServices } from '../retirement/retire-versions.ts';
import { needsLook } from '../revocation/keep-revoked.ts';
import type { Cause } from '../work/messages.ts';
import type { RequestKey, WorkQueue } from '../work/work-queue-client.ts';

/** For reading everything that uses a key. Milliseconds. */
const READ_MS = 60_000;

export type RecoverServices = RetireServices & {
  readonly audit: RecordAudit;
  readonly approvals: Pick<ApprovalStore, 'unrecorded'>;
  readonly orderStore: OrdersStore;
  readonly queue: WorkQueue;
  readonly requestKey: RequestKey;
  readonly now: () => Date;
};

/**
 * Finds work that a process owed when it died, and has it done: whatever the settings let the drift check fix. Everything in
 * it may be done twice. It never throws.
 *
 * @param keys managed keys whose versions could be read
 */
export async function recoverOverdue(
  keys: readonly { readonly key: ManagedKey; readonly versions: readonly KeyVersion[] }[],
  cause: Cause,
  services: RecoverServices,
  log: Log,
): Promise<void> {
  const { ref } = cause;
  for (const { key, versions } of keys) {
    if (!needsLook(versions, services.now())) continue;
    await attempt(
      () => services.requestKey(key.id, cause),
      (why) => {
        const message = `The key is not as its last revocation or restore left it, and cannot be put to work: ${why}`;
        log({ level: 'error', reason: 'StillOpen', message, key: key.id });
      },
    );
  }
  const records = { approvals: () => reviveApprovals(services), orders: () => recordOverdueChanges(services) };
  for (const [what, record] of Object.entries(records)) await recoverRecords(what, record, ref, log);
  for (const { key, versions } of keys) {
    if (halfRetired(versions, services.now()).length === 0) continue;
    await attempt(
      async () => {
        for await (const one of finishRetirements(key, READ_MS, services)) {
          await recordRetirement(key, one, ref, services, log);
        }
      },
      (why) => {
        const message = `A retirement that was broken off could not be finished: ${why}`;
        log({ level: 'error', reason: 'DriftFixFailed', message, resource: key.id, correlationId: ref });
      },
    );
  }
}

/** Records of what operators did, where the process that did it could not append them. */
async function recoverRecords(
  what: string,
  record: () => Promise<readonly string[]>,
  report: string,
  log: Log,
): Promise<void> {
  await attempt(
    async () => {
      const ids = await record();
      if (ids.length === 0) return;
      const message = `Records of ${what} were missing in the audit trail, and are appended.`;
      log({ level: 'warning', reason: 'DriftFixed', message, [what]: ids, report });
    },
    (why) => {
      const message = `${REASONS.DriftFixFailed} Records of ${what} may be missing in the audit trail: ${why}`;
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
