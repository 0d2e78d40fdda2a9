import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { abortAfter } from '../azure/deadline.ts';
import { readVersionUsers, type VersionUsers } from '../dependents/version-users.ts';
import { findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { confirmRetirement, type RetirementResult } from './confirm-retirement.ts';
import { type Evidence, type RetireServices, readUsageEvidence, reasonsOfLog } from './evidence.ts';
import { reasonsOfKey, reasonsOfPerson, reasonsToKeep, retiredTags } from './retirement.ts';

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
    const reasons = reasonsOfKey(version, all, now());
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
  const reasons = [...reasonsToKeep(version, versions, users, now), ...(evidence ? reasonsOfPerson(version) : [])];
  const successor = newestUsableVersion(versions, now);
  const restored = readRevocation(versions, now).restored?.id;
  const tags = successor && retiredTags(version, successor, now, restored);
  if (successor && !tags)
    reasons.push(
      'The version has the maximum number of tags, and the retirement needs one more to be finished or undone.',
    );
  if (reasons.length > 0 || !successor || !tags) return { outcome: 'kept', version, reasons };
  const used = users.uses.some(({ who }) => /\/storageAccounts\//i.test(who));
  const unproven = evidence ? reasonsOfLog(version, versions, evidence, now, { used }) : [];
  if (unproven.length > 0) return { outcome: 'unproven', version, reasons: unproven };
  return { version, restored, tags };
}

/** The audit entry of a retirement; undefined if it changed nothing. */
export function retirementEntry(key: ManagedKey, retirement: Retirement) {
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

/** Records and logs the retirement of a version that the vault's log proved unused. */
export async function recordRetirement(
  key: ManagedKey,
  retirement: Retirement,
  correlationId: string,
  { audit }: { readonly audit: RecordAudit },
  log: Log,
): Promise<void> {
  const entry = retirementEntry(key, retirement);
  if (!entry) return;
  const { reason } = entry;
  await audit({ ...entry, correlationId, details: { ...entry.details, proof: 'log' } }, AUDIT_WAIT_MS);
  const level = reason === 'RetirementNotUndone' ? 'error' : reason === 'VersionRetired' ? 'info' : 'warning';
  const next = retirement.outcome === 'notUndone' ? ` ${retirement.nextStep}.` : '';
  const resource = retirement.version.id;
  log({ level, reason, message: `${REASONS[reason]}${next}`, resource, correlationId });
}
