import type { BlastRadius } from '../key-users/dependent.ts';

export function listLockoutWarnings({ selfLockout }: Pick<BlastRadius, 'selfLockout'>): string[] {
  if (selfLockout === false) return [];
  if (selfLockout === 'unknown') {
    return [
      "The app could not read whether its own storage is encrypted with this key. If it is, the app's queues and audit trail stop while the key is revoked. Then restore the key with `cmk key restore`.",
    ];
  }
  return [
    "The app's own storage is encrypted with this key: while it is revoked, queues and audit trail of the app stop. Restore with `cmk key restore`, and move the app's storage to Microsoft-managed keys.",
  ];
}
