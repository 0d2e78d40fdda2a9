import { describeFailure, type Failure } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type AppliedChange, applyChanges, type Waiting } from './apply-changes.ts';
import { openRevocation, planRevocation, type Revocation, stampRevocation } from './revocation.ts';
import { reportVersions, unrecorded, type VersionReport } from './version-report.ts';

/**
 * The proof may show that something is still open: a change that failed, or a version that appeared meanwhile. Then there
 * is another wave, so often at most.
 */
const MOST_WAVES = 3;
/** From then on a version that did not give way is left to a repetition of the call: a person waits. Milliseconds. */
const PATIENCE_MS = 5_000;

export interface KeyRevocation {
  /** Whether the last read proves that no version is enabled. */
  readonly complete: boolean;
  /** Undefined when no version carries a record (a key without versions to disable, or without tags to spare). */
  readonly revocation: Revocation | undefined;
  readonly versions: readonly VersionReport[];
  /** Versions that were disabled without a record, so that a restore leaves them off. */
  readonly unrecorded: readonly string[];
  /** Why the proof could not be read. */
  readonly unproven: Failure | undefined;
  /** From the call to the last version disabled, in milliseconds. */
  readonly elapsedMs: number;
}

/**
 * Disables every enabled version of a key. It needs Key Vault and nothing else: no queue, table or inventory. In Key
 * Vault's round trips it is the pages of one list, one wave of updates and the pages of the list again. Safe to repeat.
 *
 * @param revokedBy object id of the caller
 * @throws the SDK's error when the versions cannot be listed at all: nothing was changed then
 */
export async function revokeKey(
  key: ManagedKey,
  revokedBy: string,
  services: Waiting & { readonly now: () => Date },
): Promise<KeyRevocation> {
  const { keys, now, sleep } = services;
  const list = () => twice(() => keys.listVersionsUnsettled(key), sleep);
  const startedMs = now().getTime();
  const before = await list();
  const stamp = stampRevocation(key.id, before, revokedBy, now());

  const applied = new Map<string, AppliedChange>();
  let seen: readonly KeyVersion[] = before;
  let proof: readonly KeyVersion[] | undefined;
  let unproven: Failure | undefined;
  let elapsedMs = 0;
  for (let wave = 0; wave < MOST_WAVES; wave += 1) {
    const inTime = now().getTime() - startedMs < PATIENCE_MS;
    const changes = planRevocation(seen, stamp).filter(
      ({ version }) => inTime || !applied.get(version.version)?.failure,
    );
    if (wave > 0 && changes.length === 0) break;
    if (changes.length > 0) {
      for (const change of await applyChanges(key, changes, services)) {
        applied.set(change.change.version.version, change);
      }
      elapsedMs = now().getTime() - startedMs;
    }
    try {
      proof = await list();
      unproven = undefined;
    } catch (error) {
      proof = undefined;
      unproven = describeFailure(error);
      break;
    }
    if (!proof.some((version) => version.enabled)) break;
    seen = proof;
  }
  return {
    complete: proof !== undefined && !proof.some((version) => version.enabled),
    revocation: openRevocation(proof ?? [...applied.values()].flatMap(({ answer }) => answer ?? [])),
    versions: reportVersions(before, [...applied.values()], proof, now()),
    unrecorded: unrecorded([...applied.values()]),
    unproven,
    elapsedMs,
  };
}
