import type { AuditEntry } from '../audit/record.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { DAY_MS } from '../time/spans.ts';
import { KEY_WORK, type RevocationWork } from '../work/messages.ts';
import { RECORDED_AFTER_MS } from './look-message.ts';
import { type BesideServices, LATER_WAIT_MS, onRecord, type RevocationAction, recordId } from './record-revocation.ts';
import { readRevocation } from './revocation.ts';
import { closedOn } from './revocation-plans.ts';

/** No record is written of an older change, since the trail would have to be read that far back to find one. Milliseconds. */
const OLDEST_MS = 7 * DAY_MS;

/** A change that the key's tags show. */
interface Shown {
  readonly action: RevocationAction;
  readonly reason: Reason;
  readonly revocation: { readonly id: string; readonly revokedOn: Date; readonly revokedBy?: string };
  /** Object id of the caller. */
  readonly by: string;
  /** When it was done, or soon after. */
  readonly on: Date;
}

/**
 * Writes the audit record of a revocation or restore that its own process has not recorded: it was killed, or the trail was
 * out of reach. What was done, and by whom, is what the key's tags show. A message fills in the reason alone, and where it
 * names the same person; so the record is marked with where that was found. What it claims of that person is in a field of its own. Nothing is written where a record exists.
 *
 * @throws an error that says why it is not on record: no other process will record it, so the message is requeued
 */
export async function recordFound(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  claimed: RevocationWork['claimed'],
  { audit, now }: Pick<BesideServices, 'audit' | 'now'>,
): Promise<void> {
  for (const shown of shownBy(versions, now())) {
    const ageMs = now().getTime() - shown.on.getTime();
    // Its own process may be about to record it, or it is too old to be looked for.
    if (ageMs < RECORDED_AFTER_MS || ageMs > OLDEST_MS) continue;
    await onRecord(audit(entryOf(key, shown, claimed), LATER_WAIT_MS, new Date(shown.on.getTime() - DAY_MS)));
  }
}

function shownBy(versions: readonly KeyVersion[], now: Date): readonly Shown[] {
  const { open, restored } = readRevocation(versions, now);
  const shown: Shown[] = [];
  if (open) {
    const { id, revokedOn, revokedBy } = open;
    const revocation = { id, revokedOn, revokedBy };
    shown.push({ action: 'key.revoke', reason: 'Revoked', revocation, by: revokedBy, on: revokedOn });
  }
  if (restored) {
    const { id, revokedOn, restoredBy } = restored;
    const on = closedOn(versions, restored, now);
    shown.push({ action: 'key.restore', reason: 'Restored', revocation: { id, revokedOn }, by: restoredBy, on });
  }
  return shown;
}

function entryOf(
  key: ManagedKey,
  { action, reason, revocation, by }: Shown,
  message: RevocationWork['claimed'],
): AuditEntry {
  const said = message?.caller.objectId.toLowerCase() === by.toLowerCase() ? message : undefined;
  const claimed = said && { caller: said.caller, correlationId: said.correlationId };
  const details = { why: said?.why, ticket: said?.ticket, claimed, revocation, foundIn: KEY_WORK };
  return {
    id: recordId(action, revocation.id, by),
    action,
    reason,
    resource: key.id,
    caller: { objectId: by, appId: '' },
    details,
  };
}
