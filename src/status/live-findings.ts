import { toKeyUse } from '../accounts/key-use.ts';
import { formatScopeId } from '../azure/resource-id.ts';
import type { FoundCause } from '../drift/checks/check.ts';
import {
  createMissingKeyCause,
  createUnmanagedVaultCause,
  findDisabledUse,
  findLaggingUse,
  findLostVersion,
  findStaleUse,
} from '../drift/checks/use-faults.ts';
import { createCauseId, createFindingId } from '../drift/report/finding-ids.ts';
import type { Finding } from '../drift/report/report.ts';
import type { UseRow } from '../index/use-row.ts';
import { getActiveFrom } from '../keys/key-versions.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { type AccountFacts, listUses } from './account-facts.ts';
import type { HealthFinding } from './health.ts';
import type { FleetReading, KeyReading } from './read-fleet.ts';

/** Reasons that the index and the current versions of the keys decide. */
export const LIVE_REASONS = [
  'UnmanagedVault',
  'KeyDeleted',
  'KeyDisabled',
  'StaleKeyVersion',
  'LaggingAutomaticVersion',
  'ScopeStaleKeyVersion',
  'RevocationOpen',
] as const;

/** What is wrong with a use or a key now. */
interface Fault {
  readonly reason: (typeof LIVE_REASONS)[number];
  readonly cause: FoundCause;
  /** Undefined if the versions of the key do not show it. */
  readonly since?: Date | undefined;
}

/**
 * Finds what is wrong with an account now: by its uses in the index, the versions of their keys, open revocations, and
 * failed moves.
 */
export function findLiveFindings(facts: AccountFacts, reading: FleetReading): HealthFinding[] {
  const { id, managedKeys, reported } = facts;
  const uses = listUses(facts);

  const ofUses = uses.flatMap((use) => {
    const resource = use.scope === undefined ? id.id : formatScopeId(id.id, use.scope);
    const faults = findFaultsOfUse(use, reading.keys.get(use.key.toLowerCase()), reading.readOn);
    return faults.map((fault) => toFinding(fault, resource, reported));
  });

  return [
    ...ofUses,
    ...managedKeys.flatMap((key) => findFindingsOfKey(key, reading.readOn)),
    ...uses.flatMap((use) => findFailedMove(use, reading) ?? []),
  ];
}

/** @param read undefined: the vault of the key is not managed */
function findFaultsOfUse(row: UseRow, read: KeyReading | undefined, now: Date): Fault[] {
  const use = toKeyUse(row);
  if (!read) return [{ reason: 'UnmanagedVault', cause: createUnmanagedVaultCause(use) }];

  const { key, versions } = read;
  if (!versions) return [];

  const faults: Fault[] = [];

  // The app reads versions after the index, so a new version cannot seem lost.
  if (versions.length === 0 || findLostVersion(use, versions) !== undefined) {
    faults.push({ reason: 'KeyDeleted', cause: createMissingKeyCause(key) });
  }

  const used = { use, key, versions };
  const disabled = findDisabledUse(used, now);
  if (disabled) {
    faults.push({ reason: 'KeyDisabled', cause: disabled.cause, since: disabled.revocation?.revokedOn });
  }

  const reason = use.pinned === undefined ? 'LaggingAutomaticVersion' : 'StaleKeyVersion';
  const behind = findStaleUse(used, now) ?? findLaggingUse(used, now);
  if (behind) {
    faults.push({
      reason: row.scope === undefined ? reason : 'ScopeStaleKeyVersion',
      cause: behind.cause,
      since: getActiveFrom(behind.target),
    });
  }

  return faults;
}

/** An open revocation of a key, or the failed read that hides one. */
function findFindingsOfKey({ key, versions }: KeyReading, now: Date): HealthFinding[] {
  if (!versions) return [createFinding('VaultUnreadable', [key.id])];

  const revocation = openRevocation(versions, now);

  return revocation ? [createFinding('RevocationOpen', [key.id], revocation.revokedOn.toISOString())] : [];
}

/** A move since the last check that failed because the identity of the account cannot access the key. */
function findFailedMove(use: UseRow, { report, keys }: FleetReading): HealthFinding | undefined {
  const { identity, account, key, state, reason, at } = use;
  if (state === 'pending' || reason !== 'IdentityHasNoAccess') return undefined;
  if (report && Date.parse(at) < Date.parse(report.startedOn)) return undefined;

  return createFinding(reason, [identity ?? account, keys.get(key.toLowerCase())?.key.vault.id ?? key], at);
}

/**
 * @param resource ARM id of the account or the scope
 * @param reported findings of the last check about the account. The same finding there may have a cause that the index
 * does not show, and has the time when a check first found it
 */
function toFinding({ reason, cause, since }: Fault, resource: string, reported: readonly Finding[]): HealthFinding {
  const finding = createFinding(cause.reason ?? reason, cause.about, since?.toISOString());
  const id = createFindingId(reason, resource);
  const before = reported.find((one) => one.id === id);
  if (!before) return { ...finding, reason };

  const isSameCause = before.cause.id === finding.cause.id;

  return {
    ...finding,
    reason,
    cause: before.cause,
    since: finding.since ?? (isSameCause ? before.since : undefined),
  };
}

/** @param since ISO 8601; undefined if not known */
function createFinding(reason: string, about: readonly string[], since?: string): HealthFinding {
  return { reason, severity: 'error', cause: { id: createCauseId(reason, about), reason, about }, since };
}
