import type { BlastRadius } from '../dependents/blast-radius.ts';
import type { Revocation } from '../revocation/revocation.ts';
import type { RevocationRecord, RevokeResponse } from './schemas.ts';

/** The blast radius as an answer has it: plain JSON, without the key that the answer names anyway. */
export function dependentsOf({ key: _, ...radius }: BlastRadius): RevokeResponse['dependents'] {
  return JSON.parse(JSON.stringify(radius));
}

export function recordOf(revocation: Revocation | undefined): RevocationRecord | undefined {
  if (!revocation) return undefined;
  const { id, revokedOn, revokedBy } = revocation;
  return { id, revokedOn: revokedOn.toISOString(), revokedBy };
}
