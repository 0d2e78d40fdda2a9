import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { abortAfter } from '../azure/deadline.ts';
import { describeError } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { LATE_WRITE_MS } from '../formats/spans.ts';
import { readVersionUsers, type VersionUse, type VersionUsers } from '../key-users/version-users.ts';
import { findNewestUsableVersion, findVersion, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation, readRevocation } from '../revocation/revocation.ts';
import {
  describeLoggedUse,
  type Evidence,
  listReasonsOfLog,
  listUsesSince,
  type RetireServices,
  readUsageEvidence,
} from './evidence.ts';
import {
  createRetiredTags,
  createSettledTags,
  findRetiredRecord,
  listReasonsOfKey,
  listReasonsOfOperator,
  listReasonsOfUse,
  listReasonsToKeep,
  withoutRetiredTag,
} from './retirement.ts';

export interface RetireOptions {
  /** Retires only this version; undefined: every enabled version. */
  readonly version?: string | undefined;
  readonly readMs: number;
  /** False: the run only plans the retirement. */
  readonly disable: boolean;
  /** Proof that no invisible client uses the version: Key Vault's log, or the decision of an operator. */
  readonly proof: 'log' | 'person';
}

/** Outcome for one version. `version` is its state before the run. */
export type Retirement =
  | { readonly outcome: 'kept'; readonly version: KeyVersion; readonly reasons: readonly string[] }
  /** No visible resource uses the version, but the log does not exclude other clients. */
  | { readonly outcome: 'unproven'; readonly version: KeyVersion; readonly reasons: readonly string[] }
  /** The version would be disabled. */
  | { readonly outcome: 'planned'; readonly version: KeyVersion }
  | RetirementResult;

/**
 * Disables the versions of a key that no visible resource uses. The log or an operator must exclude other clients
 * (`NOT_KNOWN`). Reads the key and its users before and after each change. Enables a version again if it is used or a
 * read fails. Stops if that fails. Yields each outcome immediately.
 *
 * @throws the SDK's error if listing the versions or disabling one fails; that version is unchanged
 */
export async function* retireUnused(
  key: ManagedKey,
  options: RetireOptions,
  services: RetireServices,
): AsyncGenerator<Retirement, void, undefined> {
  const { readMs } = options;
  const { keys, now } = services;
  const readUsers = (): Promise<VersionUsers> => abortAfter((limit) => readVersionUsers(key, services, limit), readMs);

  const all = await keys.listVersions(key);
  const asked = options.version === undefined ? all : [findVersion(all, options.version)];
  const superseded: string[] = [];

  for (const version of asked) {
    if (!version?.enabled) continue;
    const reasons = listReasonsOfKey(version, all, now());
    if (reasons.length > 0) yield { outcome: 'kept', version, reasons };
    else superseded.push(version.version);
  }

  if (superseded.length === 0) return;

  const evidence = options.proof === 'log' ? await readUsageEvidence(key, services, readMs) : undefined;
  let users = await readUsers();

  for (const name of superseded) {
    // The read may take minutes. The write must not replace a revocation or a tag from that time.
    const versions = await keys.listVersions(key);
    const verdict = judge(findVersion(versions, name), versions, users, evidence, now());
    if (!verdict) continue;

    if ('outcome' in verdict) {
      yield verdict;
      continue;
    }

    const { version, restored, tags } = verdict;

    if (!options.disable) {
      yield { outcome: 'planned', version };
      continue;
    }

    // If the response is lost, the sweep verifies the version.
    await keys.updateVersion(key, version.version, { enabled: false, tags });
    users = await readUsers();

    const retirement = await confirmRetirement(key, { version, restored, users }, services);

    yield retirement;

    if (retirement.outcome === 'notUndone') return;
  }
}

interface Retirable {
  readonly version: KeyVersion;
  /** Id of the key's last restored revocation. */
  readonly restored: string | undefined;
  readonly tags: Record<string, string>;
}

/**
 * Reasons to keep a version, or the data to retire it. Undefined if the version is not enabled.
 *
 * @param evidence undefined if an operator decides
 */
function judge(
  version: KeyVersion | undefined,
  versions: readonly KeyVersion[],
  users: VersionUsers,
  evidence: Evidence | undefined,
  now: Date,
): Extract<Retirement, { outcome: 'kept' | 'unproven' }> | Retirable | undefined {
  if (!version?.enabled) return undefined;

  const reasons = [
    ...listReasonsToKeep(version, versions, users, now),
    ...(evidence ? listReasonsOfOperator(version) : []),
  ];
  const successor = findNewestUsableVersion(versions, now);
  const restored = readRevocation(versions, now).restored?.id;
  const tags = successor && createRetiredTags(version, successor, now, restored);
  if (successor && !tags) {
    reasons.push(
      'The version has the maximum number of tags, and the retirement needs one more to be finished or undone.',
    );
  }

  if (reasons.length > 0 || !successor || !tags) return { outcome: 'kept', version, reasons };

  const used = users.uses.some(({ who }) => /\/storageAccounts\//i.test(who));
  const unproven = evidence ? listReasonsOfLog(version, versions, evidence, now, { used }) : [];
  if (unproven.length > 0) return { outcome: 'unproven', version, reasons: unproven };

  return { version, restored, tags };
}

/** The audit entry of a retirement; undefined if it changed nothing. */
export function toRetirementEntry(key: ManagedKey, retirement: Retirement) {
  const { outcome } = retirement;
  if (outcome === 'kept' || outcome === 'unproven' || outcome === 'planned') return undefined;

  const entry = { action: 'key.retire', resource: key.id } as const;
  const version = retirement.version.id;

  if (outcome === 'retired') {
    const { successor, uses } = retirement;
    const details = { version, successor: successor?.id, enabled: false, dependents: uses };
    return { ...entry, reason: 'VersionRetired', details } as const;
  }

  const undone = outcome === 'undone';
  const details = { version, enabled: undone, why: retirement.reasons };

  return { ...entry, reason: undone ? 'RetirementUndone' : 'RetirementNotUndone', details } as const;
}

const RETIREMENT_LEVELS = {
  VersionRetired: 'info',
  RetirementUndone: 'warning',
  RetirementNotUndone: 'error',
} as const;

/** Records and logs the retirement of a version that the vault's log proved unused. */
export async function recordRetirement(
  key: ManagedKey,
  retirement: Retirement,
  correlationId: string,
  { audit }: { readonly audit: RecordAudit },
  log: Log,
): Promise<void> {
  const entry = toRetirementEntry(key, retirement);
  if (!entry) return;

  const { reason } = entry;

  await audit({ ...entry, correlationId, details: { ...entry.details, proof: 'log' } }, AUDIT_WAIT_MS);

  const level = RETIREMENT_LEVELS[reason];
  const next = retirement.outcome === 'notUndone' ? ` ${retirement.nextStep}.` : '';
  const resource = retirement.version.id;

  log({ level, reason, message: `${REASONS[reason]}${next}`, resource, correlationId });
}

/** A version that the retirement disabled. */
interface Disabled {
  /** The version before it was disabled. */
  readonly version: KeyVersion;
  /** Id of the key's last restored revocation at that time. */
  readonly restored: string | undefined;
  /** Users of the key, read after the version was disabled. */
  readonly users: VersionUsers;
  /** Further reasons to enable the version again. */
  readonly against?: readonly string[];
}

/** Outcome for a disabled version. `version` is its state before that. */
type RetirementResult = { readonly version: KeyVersion } & (
  | {
      readonly outcome: 'retired';
      readonly successor: KeyVersion | undefined;
      /** Every visible user of the key, with its version after this version was disabled. */
      readonly uses: readonly VersionUse[];
    }
  /** The version is enabled again. */
  | { readonly outcome: 'undone'; readonly reasons: readonly string[] }
  /** The version may be disabled although a client uses it. An operator must enable it. */
  | { readonly outcome: 'notUndone'; readonly reasons: readonly string[]; readonly nextStep: string }
);

/** Keeps a version disabled if it is unused, and enables it otherwise. */
async function confirmRetirement(
  key: ManagedKey,
  disabled: Disabled,
  services: Pick<RetireServices, 'keys' | 'now' | 'sleep'>,
): Promise<RetirementResult> {
  const result = await confirmOnce(key, disabled, services);
  // The last write may have overwritten the tags of a revocation and restore. The second pass detects it.
  return result.outcome === 'retired' ? confirmOnce(key, disabled, services) : result;
}

async function confirmOnce(
  key: ManagedKey,
  { version, restored, users, against = [] }: Disabled,
  { keys, now, sleep }: Pick<RetireServices, 'keys' | 'now' | 'sleep'>,
): Promise<RetirementResult> {
  const ofUse = [...against, ...listReasonsOfUse(version, users)];
  const notUndone = (why: string, reasons = ofUse): RetirementResult => {
    const command = `az keyvault key set-attributes --id ${version.id} --enabled true`;
    const nextStep = `Unless the key is revoked or an operator disabled it intentionally, enable the version: ${command}`;
    return { outcome: 'notUndone', version, reasons: [...reasons, why], nextStep };
  };

  let listed: readonly KeyVersion[];
  try {
    listed = await retryOnce(() => keys.listVersions(key), sleep);
  } catch (error) {
    // The key may have been revoked in the meantime. Enabling a version would then reopen a revoked key.
    return notUndone(`The versions of the key cannot be read again: ${describeError(error)}`);
  }

  // The write below replaces all tags. A fresh read preserves the tags of an unretire or a revocation.
  const read = await keys.getVersion(key, version.version).catch(() => undefined);
  const fresh = read ?? findVersion(listed, version.version) ?? version;
  if (fresh.enabled) {
    const reasons = ['An operator or another tool enabled the version in the meantime.'];
    return { outcome: 'undone', version, reasons };
  }

  const versions = listed.map((one) => (one.version === fresh.version ? fresh : one));
  const { open, restored: since } = readRevocation(versions, now());
  const successor = findNewestUsableVersion(versions, now());
  const retired = { outcome: 'retired', version, successor, uses: users.uses } as const;

  // The tags now belong to the revocation. The sweep completes the retirement after the restore.
  if (open) return ofUse.length === 0 ? retired : notUndone('The key was revoked in the meantime.');

  // An operator disables a key version by version. The app must not enable any version in between.
  if (!successor) return notUndone('Its successor became unusable in the meantime: it was disabled or expired.');

  // A delayed write may arrive after a restore and disable a restored version.
  const ofRestore = since && since.id !== restored ? [RESTORED] : [];
  const reasons = [...listReasonsOfKey(version, versions, now()), ...ofRestore, ...ofUse];
  if (reasons.length === 0) {
    // If the write fails, the sweep repeats it.
    if (findRetiredRecord(fresh)?.isConfirmed === false) {
      await keys.updateVersion(key, fresh.version, { tags: createSettledTags(fresh.tags) }).catch(() => {});
    }

    return retired;
  }

  try {
    const change = { enabled: true, tags: withoutRetiredTag(fresh.tags) };
    await retryOnce(() => keys.updateVersion(key, fresh.version, change), sleep);
    return { outcome: 'undone', version, reasons };
  } catch (error) {
    return notUndone(`The app could not enable it again: ${describeError(error)}`, reasons);
  }
}

const RESTORED = 'The key was revoked and restored in the meantime. Versions that the restore enabled stay enabled.';

/** A worker verifies a disabled version within ten minutes. After this time, the worker has died. */
const ABANDONED_MS = 15 * 60_000;

/** Versions that a retirement disabled, but did not verify. */
export function listHalfRetired(versions: readonly KeyVersion[], now: Date): KeyVersion[] {
  return versions.filter((version) => {
    const record = findRetiredRecord(version);
    if (!record || record.isConfirmed || now.getTime() - record.on.getTime() < ABANDONED_MS) return false;
    return (version.updatedOn?.getTime() ?? 0) <= record.on.getTime() + LATE_WRITE_MS;
  });
}

/**
 * Verifies each version whose retirement was interrupted: it stays disabled or is enabled again. Requests in the log
 * since then count as use.
 *
 * @throws the SDK's error if listing the versions fails
 */
export async function* finishRetirements(
  key: ManagedKey,
  readMs: number,
  services: RetireServices,
): AsyncGenerator<RetirementResult, void, undefined> {
  const { keys, now } = services;
  const all = await keys.listVersions(key);

  // While a revocation is open, the app neither changes nor reports the key's versions.
  if (openRevocation(all, now()) || !findNewestUsableVersion(all, now())) return;

  for (const version of listHalfRetired(all, now())) {
    const record = findRetiredRecord(version);
    const users = await abortAfter((limit) => readVersionUsers(key, services, limit), readMs);
    const evidence = await readUsageEvidence(key, services, readMs);
    const uses = 'log' in evidence && record ? listUsesSince(version, evidence.log, record.on) : [];
    const against = uses.map(describeLoggedUse);
    yield await confirmRetirement(key, { version, restored: record?.restored, users, against }, services);
  }
}
