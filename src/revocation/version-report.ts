import { z } from 'zod';
import { describeAnswerOf } from '../azure/failure.ts';
import { getUsability, type KeyVersion, type Usability } from '../keys/key-versions.ts';
import type { AppliedChange } from './apply-changes.ts';
import { type RevocationName, type RevocationStamp, revocationOf } from './revocation.ts';

export const SHOWN_REVOCATION = z.object({
  id: z.string(),
  revokedOn: z.iso.datetime(),
  revokedBy: z.string().describe('Object id of the revoker.'),
  restoringBy: z.string().optional().describe('Object id of the caller whose restore is running or was interrupted.'),
});
/** After another restore closed a revocation, the tags no longer name its caller. */
export const RESTORED_REVOCATION = SHOWN_REVOCATION.partial({ revokedBy: true });

export function getRevocationState<R extends RevocationName & Partial<RevocationStamp>>({
  id,
  revokedOn,
  revokedBy,
}: R) {
  return { id, revokedOn: revokedOn.toISOString(), revokedBy: revokedBy as R['revokedBy'] };
}

const usabilityOrNot = z.enum(['Usable', 'Disabled', 'NotYetActive', 'Expired', 'Unknown']);

/** A version before and after a call, as returned by Key Vault. */
export const VERSION_REPORT = z.object({
  version: z.string(),
  createdOn: z.string(),
  before: usabilityOrNot,
  after: usabilityOrNot,
  recorded: z.boolean().describe('Whether the version has the revocation record that a restore uses.'),
  error: z.string().optional(),
});
export type VersionReport = z.output<typeof VERSION_REPORT>;

/**
 * Combines the first list, the answers to the changes and the last list of a call. The last list confirms the result.
 * Without it the answers count, and a version without either is `Unknown`.
 */
export function reportVersions(
  before: readonly KeyVersion[],
  applied: readonly AppliedChange[],
  proof: readonly KeyVersion[] | undefined,
  now: Date,
): VersionReport[] {
  const known = new Map(before.map((version) => [version.version, version]));
  const changes = new Map(applied.map((change) => [change.change.version.version, change]));
  const last = new Map((proof ?? []).map((version) => [version.version, version]));
  const names = new Set([...known.keys(), ...changes.keys(), ...last.keys()]);

  return [...names]
    .map((name): VersionReport => {
      const change = changes.get(name);
      const untouched = change === undefined ? known.get(name) : undefined;
      const after = proof ? last.get(name) : (change?.answer ?? untouched);
      const seen = after ?? known.get(name) ?? change?.change.version;
      const error = change?.failure && describeAnswerOf(change.failure);

      return {
        version: name,
        createdOn: seen?.createdOn.toISOString() ?? '',
        before: stateOf(known.get(name), now),
        after: stateOf(after, now),
        recorded: after !== undefined && revocationOf(after, now) !== undefined,
        ...(error ? { error } : {}),
      };
    })
    .sort((a, b) => (a.createdOn < b.createdOn ? 1 : -1));
}

/** Versions that are disabled without a record of this revocation, which a restore therefore cannot find. */
export function listUnrecorded(applied: readonly AppliedChange[], now: Date): string[] {
  return applied
    .filter(({ answer, written }) => written && answer && !answer.enabled && !revocationOf(answer, now))
    .map(({ change }) => change.version.version);
}

function stateOf(version: KeyVersion | undefined, now: Date): Usability | 'Unknown' {
  return version ? getUsability(version, now) : 'Unknown';
}
