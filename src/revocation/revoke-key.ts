import { describeFailure, type Failure } from '../azure/failure.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { asSpelled, type ManagedKey } from '../keys/managed-vaults.ts';
import { type AppliedChange, applyChanges } from './apply-changes.ts';
import {
  isNewer,
  type Revocation,
  type RevocationStamp,
  readRevocation,
  revocationOf,
  stampAfter,
} from './revocation.ts';
import { planCarrier, planJoin, planRecordAgain, planRevocation, type VersionChange } from './revocation-plans.ts';
import { reportVersions, unrecorded, type VersionReport } from './version-report.ts';

/**
 * The proof may show that something is still open: a change that failed, a version that appeared meanwhile, or the record
 * of another revocation. Then there is another wave, so often at most.
 */
const MOST_WAVES = 4;
/** After so long, versions that could not be disabled are left to a repetition of the call, since the caller waits. Milliseconds. */
const PATIENCE_MS = 5_000;

export interface KeyRevocation {
  /** As Key Vault spells it. */
  readonly key: ManagedKey;
  /** Whether the last read proves that no version is enabled, and no restore runs; whether a record is there says `revocation`. */
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
  /** Why the last list, of all versions or as proof, could not be read to its end; undefined: it was. */
  readonly unproven: Failure | undefined;
  /** A restore of this very revocation runs already: nothing more is disabled. */
  readonly restored: boolean;
  /** From the call to the end of the last wave of writes, in milliseconds; 0 when nothing was written. */
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
  by: Omit<RevocationStamp, 'revokedOn'>,
  services: RevokeServices,
): Promise<KeyRevocation> {
  const { keys, now } = services;
  const started = now();
  const before: KeyVersion[] = [];
  const applied = new Map<string, AppliedChange>();
  const recorded = new Map<string, boolean>();
  let stamp: RevocationStamp = { ...by, revokedOn: started };
  let unproven: Failure | undefined;
  let elapsedMs = 0;

  async function* changesAsListed(): AsyncGenerator<VersionChange> {
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
  const apply = async (changes: Iterable<VersionChange> | AsyncIterable<VersionChange>): Promise<void> => {
    for (const one of await applyChanges(key, changes, services)) {
      applied.set(one.change.version.version, one);
      const record = one.answer && revocationOf(one.answer, now());
      if (record) recorded.set(record.version, record.wasEnabled);
      elapsedMs = now().getTime() - started.getTime();
    }
  };

  await apply(changesAsListed());
  let proof: readonly KeyVersion[] | undefined;
  let restored = false;
  for (let wave = 1; ; wave += 1) {
    try {
      proof = await keys.listVersionsUnsettled(key);
      unproven = undefined;
    } catch (error) {
      proof = undefined;
      unproven = describeFailure(error);
      break;
    }
    restored = isRestored(proof, stamp, now());
    if (wave === MOST_WAVES || restored) break;
    // A newer one may be in the middle of its restore, which would end this one too. Once: two must not chase each other.
    if (isClosed(proof, stamp, now()) || (wave === 1 && isOlder(proof, stamp, now()))) {
      stamp = stampAfter(stamp, proof, now());
    }
    const inTime = now().getTime() - started.getTime() < PATIENCE_MS;
    const changes = planWave(proof, stamp, recorded, now()).filter(
      ({ version }) => inTime || !applied.get(version.version)?.failure,
    );
    if (changes.length === 0) break;
    await apply(changes);
  }
  const all = [...applied.values()];
  return {
    key: asSpelled(key, before),
    complete: proof !== undefined && !restored && !proof.some(({ enabled }) => enabled),
    revocation: readRevocation(proof ?? all.flatMap(({ answer }) => answer ?? []), now()).open,
    stamp,
    recorded,
    versions: reportVersions(before, all, proof, now()),
    unrecorded: unrecorded(all, now()),
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
  if (changes.length === 0) return [...planCarrier(proof, stamp, now), ...planJoin(proof, stamp, now)];
  return [...new Map(changes.map((change) => [change.version.version, change])).values()];
}

/** Whether this very revocation is restored, or being restored. */
function isRestored(versions: readonly KeyVersion[], { id }: RevocationStamp, now: Date): boolean {
  const { open, restoringBy, restored } = readRevocation(versions, now);
  return (open?.id === id && restoringBy !== undefined) || restored?.id === id;
}

/** Whether the restore of another revocation closes this one, which it has overtaken. */
function isClosed(versions: readonly KeyVersion[], stamp: RevocationStamp, now: Date): boolean {
  const { restored } = readRevocation(versions, now);
  return restored !== undefined && !isNewer(stamp, restored);
}

/** Whether a newer revocation is open. */
function isOlder(versions: readonly KeyVersion[], stamp: RevocationStamp, now: Date): boolean {
  const { open } = readRevocation(versions, now);
  return open !== undefined && isNewer(open, stamp);
}
