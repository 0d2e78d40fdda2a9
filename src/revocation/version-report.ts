import { z } from 'zod';
import { describe } from '../azure/failure.ts';
import { type KeyVersion, type Usability, usability } from '../keys/key-versions.ts';
import type { AppliedChange } from './apply-changes.ts';
import { type RevocationName, type RevocationStamp, revocationOf } from './revocation.ts';

export const SHOWN_REVOCATION = z.object({
  id: z.string(),
  revokedOn: z.iso.datetime(),
  revokedBy: z.string().describe('Object id of who revoked.'),
  restoringBy: z.string().optional().describe('Object id of who restores the key, or began to.'),
});
/** Of a revocation that another restore has closed, the tags no longer say who revoked. */
export const RESTORED_REVOCATION = SHOWN_REVOCATION.partial({ revokedBy: true });
export type RestoredRevocation = z.output<typeof RESTORED_REVOCATION>;

export function revocationState<R extends RevocationName & Partial<RevocationStamp>>({ id, revokedOn, revokedBy }: R) {
  return { id, revokedOn: revokedOn.toISOString(), revokedBy: revokedBy as R['revokedBy'] };
}

const usabilityOrNot = z.enum(['Usable', 'Disabled', 'NotYetActive', 'Expired', 'Unknown']);

/** One version before and after a call, as Key Vault said each time. */
export const VERSION_REPORT = z.object({
  version: z.string(),
  createdOn: z.string(),
  before: usabilityOrNot,
  after: usabilityOrNot,
  recorded: z.boolean().describe('Whether it carries the record that a restore goes by.'),
  error: z.string().optional(),
});
export type VersionReport = z.output<typeof VERSION_REPORT>;

/**
 * Lays side by side what was read first, what was answered to the changes and what was read last. What the last read
 * says is the proof; without one, the answers are all there is, and a version without either is `Unknown`.
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
      const error = change?.failure && describe(change.failure);
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

/** Names of the versions that are off without a record of this revocation: a restore cannot know of them. */
export function unrecorded(applied: readonly AppliedChange[], now: Date): string[] {
  return applied
    .filter(({ answer, written }) => written && answer && !answer.enabled && !revocationOf(answer, now))
    .map(({ change }) => change.version.version);
}

function stateOf(version: KeyVersion | undefined, now: Date): Usability | 'Unknown' {
  return version ? usability(version, now) : 'Unknown';
}
