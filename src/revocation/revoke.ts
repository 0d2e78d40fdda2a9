import { describeFailure, type Failure } from '../azure/failure.ts';
import type { Log } from '../errors/log.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { type ManagedKey, withSpelling } from '../keys/managed-vaults.ts';
import { type AppliedChange, applyChanges, type KeyPorts } from './apply-changes.ts';
import { type RevocationCall, requestPasses, watchEffect } from './follow-ups.ts';
import { type Audited, type BesideServices, writeDown } from './record-revocation.ts';
import { isNewer, type RevocationStamp, readRevocation, revocationOf, stampAfter } from './revocation.ts';
import { planCarrier, planJoin, planRecordAgain, planRevocation, type VersionChange } from './revocation-plans.ts';
import { listUnrecorded, reportVersions } from './version-report.ts';

/**
 * Maximum number of waves. A further wave follows if the confirming read shows a failed change, a new version, or
 * another revocation's record.
 */
const MOST_WAVES = 4;
/** Time after which the call stops retrying, because the caller waits; the caller can repeat it. Milliseconds. */
const PATIENCE_MS = 5_000;

export type KeyRevocation = Awaited<ReturnType<typeof revokeKey>>;

export type RevokeServices = KeyPorts<'versionPages' | 'listVersionsUnsettled'>;

/**
 * Disables every enabled version of a key, page by page as the list arrives. Depends only on Key Vault: no queue, table
 * or inventory. Safe to repeat: each call is a new revocation, newer than the revocation that it joins.
 *
 * @param by random `id` of the new revocation, and the object id of the caller
 * @throws the SDK's error when the first page of versions cannot be listed; the call then changed nothing
 */
export async function revokeKey(key: ManagedKey, by: Omit<RevocationStamp, 'revokedOn'>, services: RevokeServices) {
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

    const { open, restoringBy, restored: last } = readRevocation(proof, now());

    restored = (open?.id === stamp.id && restoringBy !== undefined) || last?.id === stamp.id;
    if (wave === MOST_WAVES || restored) break;

    const isClosed = last !== undefined && !isNewer(stamp, last);
    const isOlder = open !== undefined && isNewer(open, stamp);

    // A running restore of a newer revocation would end this revocation too. Renewed only once, so calls cannot race
    // forever.
    if (isClosed || (wave === 1 && isOlder)) stamp = stampAfter(stamp, proof, now());

    const inTime = now().getTime() - started.getTime() < PATIENCE_MS;
    const changes = planWave(proof, stamp, recorded, now()).filter(
      ({ version }) => inTime || !applied.get(version.version)?.failure,
    );
    if (changes.length === 0) break;

    await apply(changes);
  }

  // An empty list proves nothing: a recovery of the deleted key brings its versions back as they were.
  const isDeleted = proof?.length === 0;

  return {
    ...resultOf(key, before, [...applied.values()], proof, now()),
    /** Whether the last read confirms that every version is disabled and no restore is running. */
    complete: proof !== undefined && !isDeleted && !restored && !proof.some(({ enabled }) => enabled),
    /** The key was deleted during the call. */
    isDeleted,
    stamp,
    /** Versions with the record of `stamp`, and whether they were enabled before. */
    recorded,
    unproven,
    /** A restore of this revocation is already running, so the call stops disabling versions. */
    restored,
    /** Milliseconds from the call to the end of the last wave of writes; 0 if the call wrote nothing. */
    elapsedMs,
  };
}

function resultOf(
  key: ManagedKey,
  before: readonly KeyVersion[],
  applied: readonly AppliedChange[],
  proof: readonly KeyVersion[] | undefined,
  now: Date,
) {
  return {
    /** Key with the spelling of Key Vault. */
    key: withSpelling(key, before),
    /** The open revocation; undefined if no version has a record (a key without versions or without free tags). */
    revocation: readRevocation(proof ?? applied.flatMap(({ answer }) => answer ?? []), now).open,
    versions: reportVersions(before, applied, proof, now),
    /** The open revocation that the call replaced: its process may have been killed before its audit record. */
    joins: readRevocation(before, now).open,
    /** Versions disabled without a record, which a restore therefore leaves disabled. */
    unrecorded: listUnrecorded(applied, now),
  };
}

/** Plans the changes that the confirming read still requires. */
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

function stampOf({ id, revokedOn, revokedBy }: RevocationStamp): RevocationStamp {
  return { id, revokedOn, revokedBy };
}

interface RevokeUseCase<Dependents> extends RevokeServices, BesideServices {
  /** Creates a random id. */
  readonly newId: () => string;
  /** Reads the key's dependents. Runs beside the revocation and never throws. */
  readonly dependents: (key: ManagedKey) => Promise<Dependents>;
}

export interface Revoked<Dependents> extends KeyRevocation, Audited {
  readonly dependents: Dependents;
  /** Failed reads and writes. */
  readonly warnings: readonly string[];
}

/**
 * Revokes a key for the API and the command line. Reads the key's dependents in parallel, within a time limit. If audit
 * trail, queue or inventory are unavailable, the key is still disabled, and the answer has a warning.
 *
 * @returns undefined if the key does not exist
 * @throws the SDK's error when the first page of versions cannot be listed; the call then changed nothing
 */
export async function revoke<Dependents>(
  key: ManagedKey,
  call: RevocationCall,
  services: RevokeUseCase<Dependents>,
  log: Log,
): Promise<Revoked<Dependents> | undefined> {
  const by = { id: services.newId(), revokedBy: call.caller.objectId };

  // Runs beside the revocation, which must not wait for it.
  const reading = services.dependents(key);
  const passes = requestPasses(key, 'revoke', call, services);
  const result = await revokeKey(key, by, services);
  if (result.versions.length === 0) return undefined;

  const { key: spelled, complete, versions, elapsedMs, stamp, joins, recorded } = result;

  // A later verification needs these to repair the effects of in-flight writes.
  const carriers = [...recorded].map(([version, wasEnabled]) => ({ version, wasEnabled }));
  const reason = complete ? 'Revoked' : 'RevocationIncomplete';
  const [dependents, audited, ...notDone] = await Promise.all([
    reading,
    writeDown(
      {
        action: 'key.revoke',
        resource: spelled.id,
        reason,
        revocation: stamp,
        details: { complete, versions, elapsedMs, carriers, ...(joins ? { joins: stampOf(joins) } : {}) },
      },
      call,
      services,
      log,
    ),
    passes,
    watchEffect(spelled, 'revoke', call, services),
  ]);

  return { ...result, ...audited, dependents, warnings: notDone.flat() };
}
