import type { AuditEntry } from '../../src/audit/record.ts';

// Entries in the form in which the app writes them.

export const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
export const OLD = '0'.repeat(31).concat('1');
export const NEW = '0'.repeat(31).concat('2');

export const REVOKER = { objectId: '00000000-0000-4000-8000-000000000001', appId: 'a', name: 'Rita Revoker' };
export const RESTORER = { objectId: '00000000-0000-4000-8000-000000000002', appId: 'a', name: 'Remo Restorer' };

export function accountId(name: string): string {
  return `/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/${name}`;
}

export function rotated(from: string, to: string, details: Record<string, unknown> = {}): AuditEntry {
  const ids = { from: `${KEY}/${from}`, to: `${KEY}/${to}` };
  return {
    id: `key.rotate/${to}`,
    action: 'key.rotate',
    reason: 'Rotated',
    resource: KEY,
    details: { ...ids, ...details },
  };
}

export function moved(account: string, to: string, more: Partial<AuditEntry> = {}, key = KEY): AuditEntry {
  const { details, ...rest } = more;
  return {
    id: `${account}/${to}/${String(details?.scope ?? '')}`,
    action: 'account.move',
    reason: 'Moved',
    resource: accountId(account),
    details: { key, from: `${key}/${OLD}`, to: `${key}/${to}`, mode: 'pinned', ...details },
    ...rest,
  };
}

export function finished(version: string, startedOn: string, progressOn: string, movedUses: number): AuditEntry {
  const counts = { moved: movedUses, waiting: 0, failed: 0, left: 0, stage: 'rest' };
  return {
    id: `rotation/RotationFinished/${KEY}/${version}`,
    action: 'key.rotation',
    reason: 'RotationFinished',
    resource: KEY,
    details: { key: KEY, version, startedOn, progressOn, ...counts, foundIn: 'cmkcontrol' },
  };
}

const REVOCATION = { id: 'rev-1', revokedOn: '2026-11-02T10:00:00.000Z', revokedBy: REVOKER.objectId };

export function revoked(reason: 'Revoked' | 'RevocationIncomplete' = 'Revoked', call = 'c1'): AuditEntry {
  const versions = [
    { version: OLD, createdOn: '2026-01-01T00:00:00Z', before: 'Disabled', after: 'Disabled', recorded: true },
    { version: NEW, createdOn: '2026-11-01T00:00:00Z', before: 'Usable', after: 'Disabled', recorded: true },
  ];
  return {
    id: `key.revoke/rev-1/${REVOKER.objectId}`,
    action: 'key.revoke',
    reason,
    resource: KEY,
    caller: REVOKER,
    correlationId: call,
    details: { why: 'Key leaked', ticket: 'INC-1', revocation: REVOCATION, versions, elapsedMs: 850 },
  };
}

export function restored(): AuditEntry {
  const versions = [
    { version: NEW, createdOn: '2026-11-01T00:00:00Z', before: 'Disabled', after: 'Usable', recorded: false },
  ];
  return {
    id: `key.restore/rev-1/${RESTORER.objectId}`,
    action: 'key.restore',
    reason: 'Restored',
    resource: KEY,
    caller: RESTORER,
    correlationId: 'c2',
    details: { why: 'False alarm', ticket: 'INC-1', revocation: REVOCATION, versions },
  };
}
