import { describeFailure, type Failure } from '../azure/failure.ts';
import type { Log } from '../errors/log.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { type ManagedKey, withSpelling } from '../keys/managed-vaults.ts';
import { type AppliedChange, applyChanges, type KeyPorts } from './apply-changes.ts';
import { type RevocationCall, requestPasses, watchEffect } from './follow-ups.ts';
import { isVaultReadOnly } from './read-only-vault.ts';
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

/** What one call has done to the key so far. */
interface RevocationRun {
  readonly startedOn: Date;
  /** Becomes newer when the call meets a newer revocation, or a restore of one. */
  stamp: RevocationStamp;
  /** Versions as listed before the call changed them. */
  readonly before: KeyVersion[];
  /** The last change of each version, by version. */
  readonly applied: Map<string, AppliedChange>;
  /** Versions with the record of `stamp`, and whether they were enabled before. */
  readonly recorded: Map<string, boolean>;
  /** Milliseconds from the call to the end of the last wave of writes; 0 if the call wrote nothing. */
  elapsedMs: number;
}

/** The last list of the key's versions. */
interface Confirmation {
  /** Undefined if the versions could not be listed. */
  readonly proof: readonly KeyVersion[] | undefined;
  readonly unproven: Failure | undefined;
  /** A restore of this revocation is already running, so the call stops disabling versions. */
  readonly restored: boolean;
  /** The vault rejects every update but answers reads, so repeating the updates does not help. */
  readonly isReadOnly: boolean;
}

/**
 * Disables every enabled version of a key, page by page as the list arrives. Depends only on Key Vault: no queue, table
 * or inventory. Safe to repeat: each call is a new revocation, newer than the revocation that it joins.
 *
 * @param by random `id` of the new revocation, and the object id of the caller
 * @throws the SDK's error when the first page of versions cannot be listed; the call then changed nothing
 */
export async function revokeKey(key: ManagedKey, by: Omit<RevocationStamp, 'revokedOn'>, services: RevokeServices) {
  const { now } = services;
  const startedOn = now();
  const run: RevocationRun = {
    startedOn,
    stamp: { ...by, revokedOn: startedOn },
    before: [],
    applied: new Map(),
    recorded: new Map(),
    elapsedMs: 0,
  };

  await apply(key, disableAsListed(key, run, services), run, services);
  const { proof, unproven, restored, isReadOnly } = await disableRest(key, run, services);

  const { before, applied, recorded, stamp, elapsedMs } = run;

  // An empty list proves nothing: a recovery of the deleted key brings its versions back as they were.
  const isDeleted = proof?.length === 0;

  return {
    ...resultOf(key, before, [...applied.values()], proof, now()),
    /** Whether the last read confirms that every version is disabled and no restore is running. */
    complete: proof !== undefined && !isDeleted && !restored && !proof.some(({ enabled }) => enabled),
    /** The key was deleted during the call. */
    isDeleted,
    stamp,
    recorded,
    unproven,
    restored,
    isReadOnly,
    elapsedMs,
  };
}

/**
 * Plans the changes of each page of versions as it arrives. If a later page cannot be listed, the confirming list shows
 * what is left.
 *
 * @throws the SDK's error when the first page cannot be listed
 */
async function* disableAsListed(
  key: ManagedKey,
  run: RevocationRun,
  { keys, now }: RevokeServices,
): AsyncGenerator<VersionChange> {
  try {
    for await (const page of keys.versionPages(key)) {
      run.before.push(...page);
      run.stamp = stampAfter(run.stamp, page, now());
      yield* planRevocation(page, run.stamp, now());
    }
  } catch (error) {
    if (run.before.length === 0) throw error;
  }
}

/** Lists the versions, and disables what is left, until a list shows that nothing is. */
async function disableRest(key: ManagedKey, run: RevocationRun, services: RevokeServices): Promise<Confirmation> {
  const { keys, now } = services;
  for (let wave = 1; ; wave += 1) {
    let proof: readonly KeyVersion[];
    try {
      proof = await keys.listVersionsUnsettled(key);
    } catch (error) {
      return { proof: undefined, unproven: describeFailure(error), restored: false, isReadOnly: false };
    }

    const restored = isBeingRestored(proof, run.stamp, now());
    const isReadOnly = isVaultReadOnly(key, proof, run.applied);
    const confirmed = { proof, unproven: undefined, restored, isReadOnly };
    if (restored || wave === MOST_WAVES) return confirmed;

    // A single rejection may have another cause.
    if (isReadOnly && wave > 1) return confirmed;

    if (isOvertaken(proof, run.stamp, wave, now())) run.stamp = stampAfter(run.stamp, proof, now());

    const changes = planWave(proof, run, now());
    if (changes.length === 0) return confirmed;

    await apply(key, changes, run, services);
  }
}

async function apply(
  key: ManagedKey,
  changes: Iterable<VersionChange> | AsyncIterable<VersionChange>,
  run: RevocationRun,
  services: RevokeServices,
): Promise<void> {
  const { now } = services;
  for (const one of await applyChanges(key, changes, services)) {
    run.applied.set(one.change.version.version, one);

    const record = one.answer && revocationOf(one.answer, now());
    if (record) run.recorded.set(record.version, record.wasEnabled);

    run.elapsedMs = now().getTime() - run.startedOn.getTime();
  }
}

/** Returns whether a restore of this revocation runs or has ended. */
function isBeingRestored(proof: readonly KeyVersion[], { id }: RevocationStamp, now: Date): boolean {
  const { open, restoringBy, restored } = readRevocation(proof, now);
  return (open?.id === id && restoringBy !== undefined) || restored?.id === id;
}

/** Returns whether another revocation, or its restore, is newer than this one, which then needs a newer stamp. */
function isOvertaken(proof: readonly KeyVersion[], stamp: RevocationStamp, wave: number, now: Date): boolean {
  const { open, restored } = readRevocation(proof, now);
  const isClosed = restored !== undefined && !isNewer(stamp, restored);
  const isOlder = open !== undefined && isNewer(open, stamp);

  // A running restore of a newer revocation would end this revocation too. Renewed only once, so calls cannot race
  // forever.
  return isClosed || (wave === 1 && isOlder);
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
  { startedOn, stamp, applied, recorded }: RevocationRun,
  now: Date,
): readonly VersionChange[] {
  const isInTime = now.getTime() - startedOn.getTime() < PATIENCE_MS;
  const isWorthTrying = ({ version }: VersionChange): boolean => isInTime || !applied.get(version.version)?.failure;

  const changes = [...planRevocation(proof, stamp, now), ...planRecordAgain(proof, stamp, recorded, now)];
  if (changes.length > 0) {
    const byVersion = new Map(changes.map((change) => [change.version.version, change]));
    return [...byVersion.values()].filter(isWorthTrying);
  }

  return [...planCarrier(proof, stamp, now), ...planJoin(proof, stamp, now)].filter(isWorthTrying);
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
  readonly reason: 'Revoked' | 'VaultReadOnly' | 'RevocationIncomplete';
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
  const reason = reasonOf(result);
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

  return { ...result, ...audited, reason, dependents, warnings: notDone.flat() };
}

function reasonOf({ complete, restored, isReadOnly }: KeyRevocation): Revoked<unknown>['reason'] {
  if (complete) return 'Revoked';
  return isReadOnly && !restored ? 'VaultReadOnly' : 'RevocationIncomplete';
}
