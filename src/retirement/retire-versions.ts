import type { AuditEntry } from '../audit/record.ts';
import { abortAfter } from '../azure/deadline.ts';
import { errorText } from '../azure/failure.ts';
import { readVersionUsers, type VersionUsers, type VersionUsersServices } from '../dependents/version-users.ts';
import { findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyUsageLog } from '../keys/usage-log-client.ts';
import type { Reason } from '../reasons.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { type ConfirmRetirementServices, confirmRetirement, type RetirementResult } from './confirm-retirement.ts';
import { type Evidence, reasonsOfLog } from './evidence.ts';
import { reasonsOfKey, reasonsOfPerson, reasonsToKeep, retiredTags } from './retirement.ts';

export type RetireServices = VersionUsersServices & ConfirmRetirementServices & { readonly usageLog: KeyUsageLog };

export interface RetireOptions {
  /** This version alone; undefined: every one that is enabled. */
  readonly version?: string | undefined;
  readonly readMs: number;
  /** Without it versions are only planned to be disabled. */
  readonly disable: boolean;
  /** What proves that no unseen client uses it: Key Vault's log, or a person who answers for it. */
  readonly proof: 'log' | 'person';
}

/** What came of one version; it is given as it was before. */
export type Retirement =
  | { readonly outcome: 'kept'; readonly version: KeyVersion; readonly reasons: readonly string[] }
  /** Nothing in sight uses it, and the log does not prove that nothing else does. */
  | { readonly outcome: 'unproven'; readonly version: KeyVersion; readonly reasons: readonly string[] }
  /** It would be disabled. */
  | { readonly outcome: 'planned'; readonly version: KeyVersion }
  | RetirementResult;

/**
 * Disables the versions of a key that nothing in sight uses, where the log proves that nothing else does, or a person
 * answers for it (`NOT_KNOWN`). For each, what uses the key and the key itself are read
 * afresh before and after. When afterwards a use of the version was found, or something could not be read, it is enabled
 * again; should that fail, nothing further is done. Each version's outcome is given as soon as it stands.
 *
 * @throws the SDK's error when the versions cannot be listed, or one cannot be disabled: that one is as it was
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
    const reasons = reasonsOfKey(version, all, now());
    if (reasons.length > 0) yield { outcome: 'kept', version, reasons };
    else superseded.push(version.version);
  }
  if (superseded.length === 0) return;

  const evidence = options.proof === 'log' ? await readUsageEvidence(key, services, readMs) : undefined;
  let users = await readUsers();
  for (const name of superseded) {
    // The read may have taken minutes, and a revocation or tag written meanwhile must not be overwritten.
    const versions = await keys.listVersions(key);
    const verdict = judge(findVersion(versions, name), versions, users, evidence, now());
    if (!verdict) continue;
    if ('outcome' in verdict) {
      yield verdict;
      continue;
    }
    const { version, successor, restored, tags } = verdict;
    if (!options.disable) {
      yield { outcome: 'planned', version };
      continue;
    }
    // Should its answer be lost, the sweep confirms what it did.
    await keys.updateVersion(key, version.version, { enabled: false, tags });
    users = await readUsers();
    const retirement = await confirmRetirement(key, { version, successor, restored, users }, services);
    yield retirement;
    if (retirement.outcome === 'notUndone') return;
  }
}

interface Retirable {
  readonly version: KeyVersion;
  readonly successor: KeyVersion;
  /** The last revocation of the key that was restored. */
  readonly restored: string | undefined;
  readonly tags: Record<string, string>;
}

/**
 * Why a version stays, or what it takes to retire it; undefined: there is nothing to retire.
 *
 * @param evidence undefined: a person answers
 */
function judge(
  version: KeyVersion | undefined,
  versions: readonly KeyVersion[],
  users: VersionUsers,
  evidence: Evidence | undefined,
  now: Date,
): Extract<Retirement, { outcome: 'kept' | 'unproven' }> | Retirable | undefined {
  if (!version?.enabled) return undefined;
  const reasons = [...reasonsToKeep(version, versions, users, now), ...(evidence ? reasonsOfPerson(version) : [])];
  const successor = newestUsableVersion(versions, now);
  const restored = readRevocation(versions, now).restored?.id;
  const tags = successor && retiredTags(version, successor, now, restored);
  if (successor && !tags)
    reasons.push('It has no room for one more tag, without which the retirement could not be finished or undone.');
  if (reasons.length > 0 || !successor || !tags) return { outcome: 'kept', version, reasons };
  const used = users.uses.some(({ who }) => /\/storageAccounts\//i.test(who));
  const unproven = evidence ? reasonsOfLog(version, versions, evidence, now, { used }) : [];
  if (unproven.length > 0) return { outcome: 'unproven', version, reasons: unproven };
  return { version, successor, restored, tags };
}

/** What the log says, or why it does not. It never throws. */
export async function readUsageEvidence(
  key: ManagedKey,
  { usageLog }: Pick<RetireServices, 'usageLog'>,
  ms: number,
): Promise<Evidence> {
  try {
    return { log: await abortAfter((signal) => usageLog.read(key, signal), ms) };
  } catch (error) {
    return { missing: errorText(error) };
  }
}

/** What of a retirement goes into the audit trail: everything that was changed; undefined for the rest. */
export function retirementEntry(key: ManagedKey, retirement: Retirement): RetirementEntry | undefined {
  const { outcome } = retirement;
  if (outcome === 'kept' || outcome === 'unproven' || outcome === 'planned') return undefined;
  const entry = { action: 'key.retire', resource: key.id } as const;
  const version = retirement.version.id;
  if (retirement.outcome === 'retired') {
    const { successor, uses } = retirement;
    const details = { version, successor: successor.id, enabled: false, dependents: uses };
    return { ...entry, reason: 'VersionRetired', details };
  }
  const undone = retirement.outcome === 'undone';
  const details = { version, enabled: undone, why: retirement.reasons };
  return { ...entry, reason: undone ? 'RetirementUndone' : 'RetirementNotUndone', details };
}

interface RetirementEntry extends AuditEntry {
  readonly action: 'key.retire';
  readonly reason: Reason;
  readonly details: Readonly<Record<string, unknown>>;
}
