import type { RecordAudit } from '../audit/audit-trail.ts';
import { type AccountRevocation, resourceOfPart } from './account-record.ts';
import { LAST_LOOK_SECONDS, recordId } from './record-revocation.ts';

/** Milliseconds. */
const AUDIT_WAIT_MS = 5_000;
/** What is older was looked at before, or is restored and on record as that. Milliseconds. */
const LATEST_MS = 3_600_000;

/**
 * Records revocations of an account, or of a scope, that were not recorded by their own process: it was killed, or the audit
 * trail was out of reach. What is on record is not recorded again. Never throws.
 *
 * @param open as the account's tags say
 */
export async function recordAccountLater(
  account: { readonly id: string },
  open: readonly AccountRevocation[],
  correlationId: string,
  { audit, now }: { readonly audit: RecordAudit; readonly now: () => Date },
): Promise<void> {
  for (const { id, part, revokedOn, revokedBy, took } of open) {
    const ageMs = now().getTime() - revokedOn.getTime();
    if (ageMs < LAST_LOOK_SECONDS * 1000 || ageMs > LATEST_MS) continue;
    const entry = {
      id: recordId('account.revoke', id, revokedBy),
      action: 'account.revoke',
      // That all of it was taken away is not known from the record.
      reason: 'AccountRevocationIncomplete',
      resource: resourceOfPart(account, part),
      // Which client it was, and why, was said in the call alone.
      caller: { objectId: revokedBy, appId: '' },
      correlationId,
      details: { revocation: { id, revokedOn, revokedBy }, took, foundLater: true },
    } as const;
    await audit(entry, AUDIT_WAIT_MS, new Date(revokedOn.getTime() - LATEST_MS));
  }
}
