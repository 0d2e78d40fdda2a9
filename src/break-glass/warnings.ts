import type { BlastRadius } from '../dependents/blast-radius.ts';
import type { KeyRevocation } from './revoke-key.ts';

export function lockoutWarning({ selfLockout }: BlastRadius): string[] {
  if (selfLockout !== true) return [];
  return [
    "The app's own storage is encrypted with this key: while it is revoked, queues and audit trail of the app stop. Restore with `cmk key restore`, and move the app's storage to Microsoft-managed keys.",
  ];
}

export function unrecordedWarning({ unrecorded }: KeyRevocation): string[] {
  if (unrecorded.length === 0) return [];
  return [
    `A restore will leave these versions off, since they have no tag to spare for the record: ${unrecorded.join(', ')}.`,
  ];
}

export function auditWarning(written: string): string[] {
  return written === 'written' ? [] : [`Not in the audit trail: ${written}`];
}
