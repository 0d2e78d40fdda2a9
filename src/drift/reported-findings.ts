import { splitScope } from '../azure/resource-id.ts';
import type { FleetUse } from '../fleet/fleet-index.ts';
import { findingId } from './checks/evaluate.ts';
import { unreadOfIdentity } from './gather/gather-identities.ts';
import { VAULT_ACCESS } from './gather/vault-roles.ts';
import type { DriftDetails, Finding } from './report.ts';

/** What the last check found, by what it is about. */
export class ReportedFindings {
  readonly #findings: ReadonlyMap<string, readonly Finding[]>;
  /** Undefined: a report of before, which does not say whom it is about. */
  readonly #untold: ReadonlySet<string> | undefined;

  constructor({ findings, untoldAccess }: Pick<DriftDetails, 'findings' | 'untoldAccess'>) {
    this.#findings = Map.groupBy(findings, ({ resource }) => splitScope(resource).account.toLowerCase());
    const untold = untoldAccess?.flatMap(({ key, identities }) =>
      identities.map((identity) => accessId(key, identity)),
    );
    this.#untold = untold && new Set(untold);
  }

  /** About a resource, whatever the case of its id; an account and its scopes are one. */
  of(resource: string): readonly Finding[] {
    return this.#findings.get(splitScope(resource).account.toLowerCase()) ?? [];
  }

  /** Of what could not be read of a vault, only what keeps one from telling whether these uses may have its keys. */
  ofVault(vault: string, uses: readonly FleetUse[]): Finding[] {
    const { groups, local, ...whole } = VAULT_ACCESS;
    const what = this.#isTold(uses) ? Object.values(whole) : [...Object.values(whole), groups, local];
    const untold = new Set(what.map((one) => findingId('Unreadable', vault, one)));
    return this.of(vault).filter(({ id, reason }) =>
      reason === 'Unreadable' ? untold.has(id) : reason !== 'MissingPermission',
    );
  }

  /** Whether it may be gone: of what could not be read, only that. */
  ofIdentity(identity: string | undefined, uses: readonly FleetUse[]): Finding[] {
    if (this.#isTold(uses)) return [];
    return unreadOfIdentity(identity).flatMap(({ resource, what }) => {
      const untold = findingId('Unreadable', resource, what);
      return this.of(resource).filter(({ id }) => id === untold);
    });
  }

  /** False as well where the report does not say it. */
  #isTold(uses: readonly FleetUse[]): boolean {
    const untold = this.#untold;
    return untold !== undefined && !uses.some((use) => untold.has(accessId(use.key, use.identity ?? use.account)));
  }
}

function accessId(key: string, identity: string): string {
  return `${key} ${identity}`.toLowerCase();
}
