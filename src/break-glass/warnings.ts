import type { BlastRadius } from '../dependents/blast-radius.ts';
import type { KeyRevocation } from '../revocation/revoke-key.ts';

export function lockoutWarning({ selfLockout }: BlastRadius): string[] {
  if (selfLockout !== true) return [];
  return [
    "The app's own storage is encrypted with this key: while it is revoked, queues and audit trail of the app stop. Restore with `cmk key restore`, and move the app's storage to Microsoft-managed keys.",
  ];
}

export function unrecordedWarning({ unrecorded, revocation, complete }: KeyRevocation): string[] {
  return [
    ...(unrecorded.length > 0
      ? [
          `A restore will leave these versions off, since they have no tag to spare for the record: ${unrecorded.join(', ')}.`,
        ]
      : []),
    ...(complete && !revocation
      ? [
          'No version of the key carries the record of this revocation, so a version that is made later is not kept disabled. Take a tag off one of the versions and repeat the call.',
        ]
      : []),
  ];
}
