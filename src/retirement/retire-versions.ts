import type { AuditEntry } from '../audit/record.ts';
import { timeBoxed } from '../azure/deadline.ts';
import { describe, describeFailure, mayHaveTakenEffect } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { BlastRadiusServices } from '../dependents/blast-radius.ts';
import { readVersionUsers, type VersionUse, type VersionUsers } from '../dependents/version-users.ts';
import type { Keys } from '../keys/key-client.ts';
import { findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { reasonsOfKey, reasonsOfUse, reasonsToKeep, retiredTags, withoutRetiredTag } from './retirement.ts';

export type RetireServices = BlastRadiusServices & {
  readonly keys: Keys;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

export interface RetireOptions {
  /** This version alone; undefined: every one that is enabled. */
  readonly version?: string | undefined;
  /** How long the newest usable version has to be active; 24 at least. */
  readonly hours: number;
  /** How long one look at everything that uses the key may take. Milliseconds. */
  readonly lookMs: number;
  /** Without it versions are only planned to be disabled. */
  readonly disable: boolean;
}

/** What came of one version; it is given as it was before. */
export type Retirement =
  | {
      readonly outcome: 'kept';
      readonly version: KeyVersion;
      readonly reasons: readonly string[];
      /** Whether the key alone would have let it go. */
      readonly superseded: boolean;
    }
  /** It would be disabled. */
  | { readonly outcome: 'planned'; readonly version: KeyVersion }
  | {
      readonly outcome: 'retired';
      readonly version: KeyVersion;
      readonly successor: KeyVersion;
      /** Who uses the key in sight, and which version each of them showed after this one was disabled. */
      readonly uses: readonly VersionUse[];
    }
  /** It was disabled, and enabled again. */
  | { readonly outcome: 'undone'; readonly version: KeyVersion; readonly reasons: readonly string[] }
  /** It is, or may be, disabled and used, and a person has to enable it. */
  | {
      readonly outcome: 'notUndone';
      readonly version: KeyVersion;
      readonly reasons: readonly string[];
      readonly nextStep: string;
    };

/**
 * Disables the versions of a key that nothing in sight uses, for a person who answers for what is not
 * (`NOT_KNOWN`). For each, what uses the key and the key itself are read
 * afresh before and after. When afterwards somebody turned up on the version, or something could not be read, it is enabled
 * again; should that fail, nothing further is done. Each version's outcome is given as soon as it stands.
 *
 * @throws the SDK's error when the versions cannot be listed, or one cannot be disabled: that one is as it was
 */
export async function* retireUnused(
  key: ManagedKey,
  options: RetireOptions,
  services: RetireServices,
): AsyncGenerator<Retirement, void, undefined> {
  const { hours, lookMs } = options;
  const { keys, now } = services;
  const look = (): Promise<VersionUsers> => timeBoxed((limit) => readVersionUsers(key, services, limit), lookMs);

  const all = await keys.listVersions(key);
  const asked = options.version === undefined ? all : [findVersion(all, options.version)];
  const superseded: string[] = [];
  for (const version of asked) {
    if (!version?.enabled) continue;
    const reasons = reasonsOfKey(version, all, hours, now());
    if (reasons.length > 0) yield { outcome: 'kept', version, reasons, superseded: false };
    else superseded.push(version.version);
  }
  if (superseded.length === 0) return;

  let users = await look();
  for (const name of superseded) {
    // The look may have taken minutes, and whoever revoked or tagged meanwhile must not be overwritten.
    const versions = await keys.listVersions(key);
    const version = findVersion(versions, name);
    if (!version?.enabled) continue;
    const reasons = reasonsToKeep(version, versions, users, hours, now());
    const successor = newestUsableVersion(versions, now());
    if (reasons.length > 0 || !successor) {
      yield { outcome: 'kept', version, reasons, superseded: true };
      continue;
    }
    if (!options.disable) {
      yield { outcome: 'planned', version };
      continue;
    }
    const { lost } = await disable(key, version, successor, services);
    users = await look();
    const retirement = await settle(key, { version, successor, lost, users, hours }, services);
    yield retirement;
    if (retirement.outcome === 'notUndone') return;
  }
}

/**
 * Disables the version; answers with the SDK's error when it is not known whether that took effect.
 *
 * @throws the SDK's error when it did not
 */
async function disable(
  key: ManagedKey,
  version: KeyVersion,
  successor: KeyVersion,
  { keys, now }: RetireServices,
): Promise<{ readonly lost?: unknown }> {
  const tags = retiredTags(version, successor, now());
  try {
    await keys.updateVersion(key, version.version, { enabled: false, ...(tags ? { tags } : {}) });
    return {};
  } catch (error) {
    if (!mayHaveTakenEffect(describeFailure(error))) throw error;
    return { lost: error };
  }
}

interface Disabled {
  /** As it was before. */
  readonly version: KeyVersion;
  readonly successor: KeyVersion;
  /** The error, if no answer says that it is disabled. */
  readonly lost?: unknown;
  /** Read after it was disabled. */
  readonly users: VersionUsers;
  readonly hours: number;
}

/**
 * Leaves a version disabled if it may be, and enables it again if not.
 *
 * @throws the SDK's error when the version turns out not to be disabled
 */
async function settle(
  key: ManagedKey,
  { version, successor, lost, users, hours }: Disabled,
  { keys, now, sleep }: RetireServices,
): Promise<Retirement> {
  const ofUse = reasonsOfUse(version, users);
  let versions: readonly KeyVersion[];
  try {
    versions = await twice(() => keys.listVersions(key), sleep);
  } catch (error) {
    // The key may have been revoked since, and a revoked key is not opened on the chance that it was not.
    const unread = `The versions of the key cannot be read again: ${describe(describeFailure(error))}`;
    return notUndone(version, [...ofUse, unread], BY_HAND);
  }
  const there = findVersion(versions, version.version);
  if (lost !== undefined && there?.enabled !== false) throw lost;
  const revoked = openRevocation(versions, now()) !== undefined;
  const reasons = revoked ? ofUse : [...reasonsOfKey(version, versions, hours, now()), ...ofUse];
  if (reasons.length === 0) return { outcome: 'retired', version, successor, uses: users.uses };
  if (revoked) return notUndone(version, [...reasons, 'The key was revoked meanwhile.'], AFTER_RESTORE);
  const tags = withoutRetiredTag((there ?? version).tags);
  try {
    await twice(() => keys.updateVersion(key, version.version, { enabled: true, tags }), sleep);
    return { outcome: 'undone', version, reasons };
  } catch (error) {
    const failed = `It could not be enabled again: ${describe(describeFailure(error))}`;
    return notUndone(version, [...reasons, failed], BY_HAND);
  }
}

const BY_HAND = 'Enable it at once, unless the key is revoked';
const AFTER_RESTORE = 'Once the key is restored, enable it';

function notUndone(version: KeyVersion, reasons: readonly string[], what: string): Retirement {
  const nextStep = `${what}: az keyvault key set-attributes --id ${version.id} --enabled true`;
  return { outcome: 'notUndone', version, reasons, nextStep };
}

/** What of a retirement goes into the audit trail: everything that was changed; undefined for the rest. */
export function retirementEntry(key: ManagedKey, retirement: Retirement): RetirementEntry | undefined {
  if (retirement.outcome === 'kept' || retirement.outcome === 'planned') return undefined;
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

export interface RetirementEntry extends AuditEntry {
  readonly action: 'key.retire';
  readonly reason: Reason;
  readonly details: Readonly<Record<string, unknown>>;
}
