import { AUDIT_WAIT_MS } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import { CLOCKS_MS } from '../formats/spans.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { KEY_WORK, type RevocationWork } from '../work/messages.ts';
import { RECORDED_AFTER_MS, UNCLAIMED_AFTER_MS } from './follow-ups.ts';
import { createKeptRevokedId, type KeptTrail, type RevocationEvent } from './key-trail.ts';
import { type BesideServices, createRecordId, type RevocationAction } from './record-revocation.ts';
import { readRevocation, revocationOf } from './revocation.ts';
import { closedOn, isUnderWay } from './revocation-plans.ts';

/** A change that is visible in the key's tags. */
interface Shown {
  readonly action: RevocationAction;
  readonly revocation: { readonly id: string; readonly revokedOn: Date; readonly revokedBy?: string };
  /** Object id of the caller. */
  readonly by: string;
  /** Time of the change, or soon after. */
  readonly on: Date;
}

/**
 * Appends the missing audit record of a revocation or restore, whose process was killed or could not reach the trail.
 * The key's tags, or the record of the call that replaced them, show the change and its caller. The message supplies only the reason,
 * and only if the same caller sent it for such a change. So the record has `foundIn`, and the message's data is in `claimed`.
 * Idempotent: appends nothing if the record exists.
 *
 * @param events the trail's events of this key since a time: older changes get no record
 * @throws an error with the reason, so the message is requeued: no other process will append the record
 */
export async function recordFound(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  message: Pick<RevocationWork, 'claimed' | 'cause'>,
  { events, since }: { readonly events: readonly RevocationEvent[]; readonly since: Date },
  { audit, now }: Pick<BesideServices, 'audit' | 'now'>,
): Promise<void> {
  for (const shown of [...shownBy(versions, now()), ...replacedSince(events)]) {
    const claimed = isOf(shown, message) ? message.claimed : undefined;
    const entry = entryOf(key, shown, claimed);

    // The change's own process, or the message with its reason, may still append the record.
    const waitMs = claimed ? RECORDED_AFTER_MS : UNCLAIMED_AFTER_MS;
    if (shown.on < since || now().getTime() - shown.on.getTime() < waitMs) continue;
    if (events.some(({ id }) => id === entry.id)) continue;

    const outcome = await audit(entry, AUDIT_WAIT_MS);
    if ('failed' in outcome) throw new Error(`Not in the audit trail: ${outcome.failed}`);
  }
}

/**
 * Appends the missing audit records of versions that appeared while the key was revoked, if the process that disabled
 * them was killed. Such a version has the revocation's tag, but the revocation's own audit record does not name it.
 *
 * @throws an error with the reason, so the message is requeued
 */
export async function recordKept(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  { events, since }: { readonly events: readonly RevocationEvent[]; readonly since: Date },
  { audit, keptTrail, now }: Pick<BesideServices, 'audit' | 'now'> & { readonly keptTrail: KeptTrail },
): Promise<void> {
  const { open } = readRevocation(versions, now());
  const made = events.find(
    ({ did, isFound, revocation }) => did === 'revoke' && !isFound && revocation.id === open?.id,
  );
  if (!open || !made) return;

  const kept = findKeptRevoked(versions, since, now()).filter(({ version }) => !made.carriers.has(version));
  if (kept.length === 0) return;

  const recorded = await keptTrail(key, since);

  for (const { version } of kept) {
    const id = createKeptRevokedId(open.id, version);
    if (recorded.has(id)) continue;

    const details = { version, revocation: open.id, recorded: true, foundIn: KEY_WORK };
    const entry = { id, action: 'key.keepRevoked', reason: 'KeptRevoked', resource: key.id, details } as const;
    const outcome = await audit(entry, AUDIT_WAIT_MS);
    if ('failed' in outcome) throw new Error(`Not in the audit trail: ${outcome.failed}`);
  }
}

/**
 * Returns the versions that appeared while the key was revoked, and that the app disabled since a time. Omits versions
 * of the last seconds, because the process that disabled them may still append their record.
 */
export function findKeptRevoked(versions: readonly KeyVersion[], since: Date, now: Date): readonly KeyVersion[] {
  const { open } = readRevocation(versions, now);
  if (!open) return [];
  return versions.filter((version) => {
    const isDisabledByIt = revocationOf(version, now)?.id === open.id && !version.enabled;
    const isCreatedLater = version.createdOn.getTime() > open.revokedOn.getTime() - CLOCKS_MS;
    const isChangedSince = (version.updatedOn ?? version.createdOn) >= since;
    return isDisabledByIt && isCreatedLater && isChangedSince && !isUnderWay(version, now);
  });
}

function shownBy(versions: readonly KeyVersion[], now: Date): readonly Shown[] {
  const { open, restored } = readRevocation(versions, now);
  const shown: Shown[] = [];

  if (open) {
    const { id, revokedOn, revokedBy } = open;
    const revocation = { id, revokedOn, revokedBy };
    shown.push({ action: 'key.revoke', revocation, by: revokedBy, on: revokedOn });
  }

  if (restored) {
    const { id, revokedOn, restoredBy } = restored;
    const on = closedOn(versions, restored, now);
    shown.push({ action: 'key.restore', revocation: { id, revokedOn }, by: restoredBy, on });
  }

  return shown;
}

/** Revocations whose tag record a restore or a newer revocation has replaced: its own audit record has the content. */
function replacedSince(events: readonly RevocationEvent[]): readonly Shown[] {
  const found = new Map<string, Shown>();
  for (const { did, isShown, revocation, joins } of events) {
    const replaced = did === 'restore' && isShown ? revocation : joins;
    if (!replaced || events.some((event) => event.did === 'revoke' && event.revocation.id === replaced.id)) continue;
    const { id, revokedOn, revokedBy } = replaced;
    const shown = { id, revokedOn, revokedBy };
    found.set(id, { action: 'key.revoke', revocation: shown, by: revokedBy, on: revokedOn });
  }
  return [...found.values()];
}

/** Whether a call of the same caller, of the same kind and at that time sent the message: another call has another reason. */
function isOf({ action, by, on }: Shown, { claimed, cause }: Pick<RevocationWork, 'claimed' | 'cause'>): boolean {
  const isSame = claimed?.caller.objectId.toLowerCase() === by.toLowerCase() && action === `key.${cause.by}`;
  return isSame && Math.abs(on.getTime() - Date.parse(cause.since)) <= RECORDED_AFTER_MS;
}

function entryOf(key: ManagedKey, { action, revocation, by }: Shown, message: RevocationWork['claimed']): AuditEntry {
  const claimed = message && { caller: message.caller, correlationId: message.correlationId };
  const details = { why: message?.why, ticket: message?.ticket, claimed, revocation, foundIn: KEY_WORK };

  return {
    id: createRecordId(action, revocation.id, by),
    action,
    reason: action === 'key.revoke' ? 'Revoked' : 'Restored',
    resource: key.id,
    caller: { objectId: by, appId: '' },
    details,
  };
}
