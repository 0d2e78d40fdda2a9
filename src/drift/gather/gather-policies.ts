import pMap from 'p-map';
import { known, type Part, readPart, type UnreadPart, unreadOf, type What } from '../../azure/read-or-why.ts';
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
/** Maximum number of failed or throttled reads per check. Each takes seconds, and the findings are only advice. */
const MOST_UNANSWERED = 3;

interface Policed {
  readonly denials: readonly KeyDenial[];
  readonly unread: readonly UnreadPart[];
}

/** Azure Policy denials of keys by vault. Reads each initiative once per check, because most vaults share them. */
export class GatheredPolicies {
  readonly #policies: KeyPolicies;
  readonly #now: Date;
  readonly #signal: AbortSignal | undefined;
  #unanswered = 0;
  readonly #initiatives = new Map<string, Promise<Part<PolicyInitiative>>>();

  constructor(policies: KeyPolicies, now: Date, signal: AbortSignal | undefined) {
    this.#policies = policies;
    this.#now = now;
    this.#signal = signal;
  }

  async of(vault: ManagedVault): Promise<Policed> {
    const read = await this.#read(about('policyAssignments', vault.id, 'the policy assignments of the vault'), () =>
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

    const exemptions = await this.#read(about('policyExemptions', vault.id, 'the policy exemptions of the vault'), () =>
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
      this.#read(about('policySetDefinitions', scope || '/', 'the policy initiatives defined in this scope'), () =>
        this.#policies.initiative(scope, lastName(id), this.#signal),
      );
    this.#initiatives.set(id.toLowerCase(), reading);
    return reading;
  }

  /** Reads nothing more once Azure Policy did not respond, so the rest of the check has its time. */
  async #read<T>(what: What, read: () => Promise<T>): Promise<Part<T>> {
    if (this.#unanswered >= MOST_UNANSWERED) {
      const detail = `Not read: Azure Policy did not respond ${MOST_UNANSWERED} times in this check.`;
      return { unread: { ...what, kind: 'unavailable', detail } };
    }
    const part = await readPart(what, read);
    if ('unread' in part && /^(unavailable|throttled)$/.test(part.unread.kind)) this.#unanswered += 1;
    return part;
  }
}

function about(type: string, resource: string, what: string) {
  return { resource, what, action: `Microsoft.Authorization/${type}/read`, beside: true };
}
