import { splitScope } from '../azure/resource-id.ts';
import type { HealthFinding } from '../fleet/health.ts';
import { activeFrom, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { KEY_CHECKS } from './checks/checks.ts';
import { causeIdOf, evaluate, findingId } from './checks/evaluate.ts';
import type { KeySubject, Rules } from './checks/subjects.ts';
import { unreadOfIdentity } from './gather/gather-identities.ts';
import { VAULT_ACCESS } from './gather/vault-roles.ts';
import type { DriftDetails, Finding } from './report.ts';

// The health of an account by the newest report and by its key as it was read.

/** Findings about a key that stop what uses it. */
const KEY_STOPS = KEY_CHECKS.filter(({ reason }) => reason === 'RevocationOpen' || reason === 'KeyOperationsMissing');

/** What a key, as it was read, means for whatever uses it. */
export function keyEvidence(subject: KeySubject, rules: Rules): readonly (HealthFinding | Omit<Finding, 'since'>)[] {
  if ('value' in subject.versions) return evaluate(KEY_STOPS, subject, subject.key.id, rules);
  const about = [subject.key.id];
  const cause = { id: causeIdOf('VaultUnreadable', about), reason: 'VaultUnreadable', about };
  return [{ reason: 'VaultUnreadable', severity: 'error', cause }];
}

/** Since when a new finding has been true. */
interface SinceEvidence {
  /** Of a key, by its identifier; none where they could not be read. */
  readonly versionsOf: (key: string) => readonly KeyVersion[];
  /** What the newest drift report has about a resource. */
  readonly reported: (resource: string) => readonly Finding[];
  readonly rules: Rules;
}

/**
 * Since when (ISO 8601): as exactly as the versions of the key show, else since a check first
 * found the same, if the newest one found it with the same cause. Undefined: it is not known.
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

/** What the last check found, by what it is about. */
export class ReportedFindings {
  readonly #findings: ReadonlyMap<string, readonly Finding[]>;

  constructor({ findings }: Pick<DriftDetails, 'findings'>) {
    this.#findings = Map.groupBy(findings, ({ resource }) => splitScope(resource).account.toLowerCase());
  }

  /** About a resource, whatever the case of its id; an account and its scopes are one. */
  of(resource: string): readonly Finding[] {
    return this.#findings.get(splitScope(resource).account.toLowerCase()) ?? [];
  }

  /** Of what could not be read of a vault, only what leaves open whether its keys may be used. */
  ofVault(vault: string): Finding[] {
    const open = new Set(Object.values(VAULT_ACCESS).map((one) => findingId('Unreadable', vault, one)));
    return this.of(vault).filter(({ id, reason }) =>
      reason === 'Unreadable' ? open.has(id) : reason !== 'MissingPermission',
    );
  }

  /** Of an identity, that it could not be read: it may be gone. */
  ofIdentity(identity: string | undefined): Finding[] {
    return unreadOfIdentity(identity).flatMap(({ resource, what }) => {
      const open = findingId('Unreadable', resource, what);
      return this.of(resource).filter(({ id }) => id === open);
    });
  }
}
