import pMap from 'p-map';
import { known, type Part, readPart, type UnreadPart, unreadOf } from '../../azure/read-or-why.ts';
import { lastName } from '../../azure/resource-id.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import {
  appliesTo,
  denialsOf,
  isExempt,
  type KeyDenial,
  type PolicyInitiative,
  scopeOfInitiative,
} from '../../vaults/key-policies.ts';
import type { KeyPolicies } from '../../vaults/key-policy-client.ts';

/** Maximum number of concurrent reads of initiatives per vault. */
const CONCURRENCY = 4;

interface Policed {
  readonly denials: readonly KeyDenial[];
  readonly unread: readonly UnreadPart[];
}

/** Azure Policy denials of keys by vault. Reads each initiative once per check, because most vaults share them. */
export class GatheredPolicies {
  readonly #policies: KeyPolicies;
  readonly #now: Date;
  readonly #signal: AbortSignal | undefined;
  readonly #initiatives = new Map<string, Promise<Part<PolicyInitiative>>>();

  constructor(policies: KeyPolicies, now: Date, signal: AbortSignal | undefined) {
    this.#policies = policies;
    this.#now = now;
    this.#signal = signal;
  }

  async of(vault: ManagedVault): Promise<Policed> {
    const read = await readPart(about('policyAssignments', vault.id, 'the policy assignments of the vault'), () =>
      this.#policies.assignments(vault, this.#signal),
    );
    const found = await pMap(
      (known(read) ?? []).filter((assignment) => appliesTo(assignment, vault)),
      async (assignment) => {
        const initiative = await this.#initiative(assignment.properties.policyDefinitionId);
        return { denials: denialsOf(assignment, known(initiative), vault), initiative };
      },
      { concurrency: CONCURRENCY },
    );
    const denials = found.flatMap((one) => one.denials);
    const unread = unreadOf([read, ...found.map(({ initiative }) => initiative)]);
    if (denials.length === 0) return { denials, unread };

    const exemptions = await readPart(about('policyExemptions', vault.id, 'the policy exemptions of the vault'), () =>
      this.#policies.exemptions(vault, this.#signal),
    );
    // Without the exemptions, each denial may be exempt.
    if ('unread' in exemptions) return { denials: [], unread: [...unread, exemptions.unread] };
    return { denials: denials.filter((one) => !isExempt(one, exemptions.value, this.#now)), unread };
  }

  /** Undefined if the id names no initiative. */
  async #initiative(id: string): Promise<Part<PolicyInitiative> | undefined> {
    const scope = scopeOfInitiative(id);
    if (scope === undefined) return undefined;
    const reading =
      this.#initiatives.get(id.toLowerCase()) ??
      // Identified by their scope: the app lacks one permission for all initiatives there.
      readPart(about('policySetDefinitions', scope || '/', 'the policy initiatives defined in this scope'), () =>
        this.#policies.initiative(scope, lastName(id), this.#signal),
      );
    this.#initiatives.set(id.toLowerCase(), reading);
    return reading;
  }
}

function about(type: string, resource: string, what: string) {
  return { resource, what, action: `Microsoft.Authorization/${type}/read`, beside: true };
}
