import { splitScope } from '../../azure/resource-id.ts';
import { findingId } from '../../drift/checks/evaluate.ts';
import { unreadOfIdentity } from '../../drift/gather/gather-identities.ts';
import { VAULT_ACCESS } from '../../drift/gather/vault-roles.ts';
import type { Finding } from '../../drift/report.ts';

/** What the last check found, by what it is about. */
export class ReportedFindings {
  readonly #findings: ReadonlyMap<string, readonly Finding[]>;

  constructor(findings: readonly Finding[]) {
    this.#findings = Map.groupBy(findings, ({ resource }) => splitScope(resource).account.toLowerCase());
  }

  /** About a resource, whatever the case of its id; those about the scopes of an account are about the account. */
  of(resource: string): readonly Finding[] {
    return this.#findings.get(resource.toLowerCase()) ?? [];
  }

  /** Of what could not be read of a vault, only what keeps one from telling who may use its keys. */
  ofVault(vault: string): Finding[] {
    const untold = new Set(Object.values(VAULT_ACCESS).map((what) => findingId('Unreadable', vault, what)));
    return this.of(vault).filter(({ id, reason }) =>
      reason === 'Unreadable' ? untold.has(id) : reason !== 'MissingPermission',
    );
  }

  /** Whether it may be gone: of what could not be read, only that. */
  ofIdentity(identity: string | undefined): Finding[] {
    return unreadOfIdentity(identity).flatMap(({ resource, what }) => {
      const untold = findingId('Unreadable', resource, what);
      return this.of(resource).filter(({ id }) => id === untold);
    });
  }
}
