import { describe } from '../azure/failure.ts';
import { type KeyVersion, type Usability, usability } from '../keys/key-versions.ts';
import type { AppliedChange } from './apply-changes.ts';
import { revocationOf } from './revocation.ts';

/** One version before and after a call, as Key Vault said each time. */
export interface VersionReport {
  readonly version: string;
  readonly createdOn: string;
  readonly before: Usability | 'Unknown';
  readonly after: Usability | 'Unknown';
  /** Whether it carries the revocation's record, without which a restore leaves it off. */
  readonly recorded: boolean;
  /** What went wrong with it, if anything did. */
  readonly error?: string;
}

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
