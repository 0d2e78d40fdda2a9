import { splitScope } from '../azure/resource-id.ts';
import type { HealthFinding } from '../fleet/health.ts';
import { activeFrom, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { KEY_CHECKS } from './checks/checks.ts';
import { causeIdOf, evaluate, findingId } from './checks/evaluate.ts';
import type { KeySubject, Rules } from './checks/subjects.ts';
import { unreadOfIdentity } from './gather/gather-identities.ts';
import { unreadOfAccess } from './gather/vault-roles.ts';
import type { DriftDetails, Finding } from './report.ts';

// The health of an account according to the newest report and its key.

/** Checks of a key whose findings stop its users. */
const KEY_STOPS = KEY_CHECKS.filter(({ reason }) => reason === 'RevocationOpen' || reason === 'KeyOperationsMissing');

/** Findings on a key that affect its users. */
export function keyEvidence(subject: KeySubject, rules: Rules): readonly (HealthFinding | Omit<Finding, 'since'>)[] {
  if ('value' in subject.versions) return evaluate(KEY_STOPS, subject, subject.key.id, rules);
  const about = [subject.key.id];
  const cause = { id: causeIdOf('VaultUnreadable', about), reason: 'VaultUnreadable', about };
  return [{ reason: 'VaultUnreadable', severity: 'error', cause }];
}

/** Evidence for the start time of a new finding. */
interface SinceEvidence {
  /** Versions of a key by its identifier; empty if unreadable. */
  readonly versionsOf: (key: string) => readonly KeyVersion[];
  /** Findings on a resource in the newest drift report. */
  readonly reported: (resource: string) => readonly Finding[];
  readonly rules: Rules;
}

/**
 * Start time of a finding (ISO 8601), from the versions of the key if they show it. Otherwise the time when a check
 * first found it, if the newest check found it with the same cause. Undefined if unknown.
 */
export function findingSince(
  { id, resource, reason, cause }: Omit<Finding, 'since'>,
  { versionsOf, reported, rules }: SinceEvidence,
): string | undefined {
  const versions = versionsOf(cause.about[0] ?? '');
  if (cause.reason === 'RevocationOpen') return openRevocation(versions, rules.now)?.revokedOn.toISOString();
  if (/^(Scope)?StaleKeyVersion$|^LaggingAutomatic/.test(reason)) {
    const target = newestUsableVersion(versions, rules.now);
    return target && activeFrom(target).toISOString();
  }
  return reported(resource).find((before) => before.id === id && before.cause.id === cause.id)?.since;
}

/** Findings of the last check, by resource. */
export class ReportedFindings {
  readonly #findings: ReadonlyMap<string, readonly Finding[]>;

  constructor({ findings }: Pick<DriftDetails, 'findings'>) {
    this.#findings = Map.groupBy(findings, ({ resource }) => splitScope(resource).account.toLowerCase());
  }

  /** Findings on a resource, regardless of letter case. Findings on an account include its scopes. */
  of(resource: string): readonly Finding[] {
    return this.#findings.get(splitScope(resource).account.toLowerCase()) ?? [];
  }

  /** Findings on a vault. Of its failed reads, only those that hide whether its keys are usable. */
  ofVault(vault: ManagedVault): Finding[] {
    const open = new Set(unreadOfAccess(vault).map((one) => findingId('Unreadable', vault.id, one)));
    return this.of(vault.id).filter(({ id, reason }) =>
      reason === 'Unreadable' ? open.has(id) : reason !== 'MissingPermission',
    );
  }

  /** Failed reads of an identity, which may have been deleted. */
  ofIdentity(identity: string | undefined): Finding[] {
    return unreadOfIdentity(identity).flatMap(({ resource, what }) => {
      const open = findingId('Unreadable', resource, what);
      return this.of(resource).filter(({ id }) => id === open);
    });
  }
}
