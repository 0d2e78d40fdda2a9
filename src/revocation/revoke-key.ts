import { describeFailure, type Failure } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type AppliedChange, applyChanges } from './apply-changes.ts';
import {
  isNewer,
  planCarrier,
  planRecordAgain,
  planRevocation,
  type Revocation,
  type RevocationStamp,
  readRevocation,
  revocationOf,
  stampAfter,
  type VersionChange,
} from './revocation.ts';
import { reportVersions, unrecorded, type VersionReport } from './version-report.ts';

/**
 * The proof may show that something is still open: a change that failed, a version that appeared meanwhile, or the record
 * of another revocation. Then there is another wave, so often at most.
 */
const MOST_WAVES = 4;
/** From then on a version that did not give way is left to a repetition of the call: a person waits. Milliseconds. */
const PATIENCE_MS = 5_000;

export interface KeyRevocation {
  /** Whether the last read proves that no version is enabled, and that the revocation is on record. */
  readonly complete: boolean;
  /** The open one; undefined when no version carries a record (a key without versions, or without tags to spare). */
  readonly revocation: Revocation | undefined;
  /** This call's own. */
  readonly stamp: RevocationStamp;
  /** Versions that carry its record, and whether they were on before. */
  readonly recorded: ReadonlyMap<string, boolean>;
  readonly versions: readonly VersionReport[];
  /** Versions that were disabled without a record, so that a restore leaves them off. */
  readonly unrecorded: readonly string[];
  /** What was read but not disabled by a failure of the list. */
  readonly unproven: Failure | undefined;
  /** Somebody restores this very revocation already: nothing more is disabled. */
  readonly restored: boolean;
  /** From the call to the last version disabled, in milliseconds. */
  readonly elapsedMs: number;
}

export interface RevokeServices {
  readonly keys: Pick<Keys, 'versionPages' | 'listVersionsUnsettled' | 'getVersion' | 'updateVersion'>;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * Disables every enabled version of a key, page by page as the list arrives. It needs Key Vault and nothing else: no queue,
 * table or inventory. Safe to repeat; each call is a revocation of its own, newer than the one it joins.
 *
 * @param by `id` of the new revocation, with randomness in it, and the object id of the caller
 * @throws the SDK's error when not even the first versions can be listed: nothing was changed then
 */
export async function revokeKey(
  key: ManagedKey,
  by: Pick<RevocationStamp, 'id' | 'revokedBy'>,
  services: RevokeServices,
): Promise<KeyRevocation> {
  const { keys, now, sleep } = services;
  const startedMs = now().getTime();
  const before: KeyVersion[] = [];
  const applied = new Map<string, AppliedChange>();
  const recorded = new Map<string, boolean>();
  let stamp: RevocationStamp = { ...by, revokedOn: now() };
  let unproven: Failure | undefined;
  let elapsedMs = 0;

  const apply = async (changes: Iterable<VersionChange> | AsyncIterable<VersionChange>): Promise<void> => {
    for (const change of await applyChanges(key, changes, services)) {
      applied.set(change.change.version.version, change);
      const record = change.answer && revocationOf(change.answer, now());
      if (record) recorded.set(record.version, record.wasEnabled);
      elapsedMs = now().getTime() - startedMs;
    }
  };
  async function* asListed(): AsyncGenerator<VersionChange> {
    try {
      for await (const page of keys.versionPages(key)) {
        before.push(...page);
        stamp = stampAfter(stamp, page, now());
        yield* planRevocation(page, stamp, now());
      }
    } catch (error) {
      if (before.length === 0) throw error;
      unproven = describeFailure(error);
    }
  }

  await apply(asListed());
  let proof: readonly KeyVersion[] | undefined;
  for (let wave = 1; wave <= MOST_WAVES; wave += 1) {
    try {
      proof = await twice(() => keys.listVersionsUnsettled(key), sleep);
      unproven = undefined;
    } catch (error) {
      proof = undefined;
      unproven = describeFailure(error);
      break;
    }
    if (wave === MOST_WAVES || isRestored(proof, stamp, now())) break;
    stamp = stampAfter(stamp, closing(proof, stamp, now()), now());
    const inTime = now().getTime() - startedMs < PATIENCE_MS;
    const changes = planWave(proof, stamp, recorded, now()).filter(
      ({ version }) => inTime || !applied.get(version.version)?.failure,
    );
    if (changes.length === 0) break;
    await apply(changes);
  }
  const changes = [...applied.values()];
  const last = proof ?? changes.flatMap(({ answer }) => answer ?? []);
  const { open } = readRevocation(last, now());
  const restored = proof !== undefined && isRestored(proof, stamp, now());
  return {
    complete: proof !== undefined && !restored && !proof.some(({ enabled }) => enabled),
    revocation: open,
    stamp,
    recorded,
    versions: reportVersions(before, changes, proof, now()),
    unrecorded: unrecorded(changes, now()),
    unproven,
    restored,
    elapsedMs,
  };
}

/** What the proof shows to be left to do. */
function planWave(
  proof: readonly KeyVersion[],
  stamp: RevocationStamp,
  recorded: ReadonlyMap<string, boolean>,
  now: Date,
): readonly VersionChange[] {
  const changes = [...planRevocation(proof, stamp, now), ...planRecordAgain(proof, stamp, recorded, now)];
  if (changes.length === 0) return planCarrier(proof, stamp, now);
  return [...new Map(changes.map((change) => [change.version.version, change])).values()];
}

/** Whether somebody restores, or has restored, this very revocation. */
function isRestored(versions: readonly KeyVersion[], { id }: RevocationStamp, now: Date): boolean {
  const { open, restoringBy, restored } = readRevocation(versions, now);
  return (open?.id === id && restoringBy !== undefined) || restored?.id === id;
}

/** All versions, if the restore of another revocation closes this one, which it has overtaken; else none. */
function closing(versions: readonly KeyVersion[], stamp: RevocationStamp, now: Date): readonly KeyVersion[] {
  const { restored } = readRevocation(versions, now);
  return restored && !isNewer(stamp, restored) ? versions : [];
}
