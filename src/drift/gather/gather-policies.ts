import pMap from 'p-map';
import { known, type Part, readPart, type UnreadPart, unreadOf } from '../../azure/read-or-why.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import {
  appliesTo,
  denialsOf,
  type InitiativeName,
  initiativeOf,
  isExempt,
  type KeyDenial,
  type PolicyInitiative,
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
    const read = await this.#read('policyAssignments', vault.id, 'the policy assignments of the vault', () =>
      this.#policies.assignments(vault, this.#signal),
    );
    const assignments = (known(read) ?? []).filter((assignment) => appliesTo(assignment, vault));
    const found = await pMap(
      assignments,
      async (assignment) => {
        const named = initiativeOf(assignment);
        const initiative = named && (await this.#initiative(named));
        return { denials: denialsOf(assignment, known(initiative), vault), parts: initiative ? [initiative] : [] };
      },
      { concurrency: CONCURRENCY },
    );
    const denials = found.flatMap((one) => one.denials);
    const unread = unreadOf([read, ...found.flatMap(({ parts }) => parts)]);
    if (denials.length === 0) return { denials, unread };

    const exemptions = await this.#read('policyExemptions', vault.id, 'the policy exemptions of the vault', () =>
      this.#policies.exemptions(vault, this.#signal),
    );
    // Without the exemptions, each denial may be exempt.
    if ('unread' in exemptions) return { denials: [], unread: [...unread, exemptions.unread] };
    return { denials: denials.filter((one) => !isExempt(one, exemptions.value, this.#now)), unread };
  }

  #initiative(named: InitiativeName): Promise<Part<PolicyInitiative>> {
    const id = `${named.scope}/${named.name}`.toLowerCase();
    const reading =
      this.#initiatives.get(id) ??
      // Identified by their scope: the app lacks one permission for all initiatives there.
      this.#read('policySetDefinitions', named.scope || '/', 'the policy initiatives defined in this scope', () =>
        this.#policies.initiative(named, this.#signal),
      );
    this.#initiatives.set(id, reading);
    return reading;
  }

  async #read<T>(type: string, resource: string, what: string, read: () => Promise<T>): Promise<Part<T>> {
    const about = { resource, what, action: `Microsoft.Authorization/${type}/read`, beside: true };
    if (this.#unanswered >= MOST_UNANSWERED) {
      const detail = `Not read: Azure Policy did not respond ${MOST_UNANSWERED} times in this check.`;
      return { unread: { ...about, kind: 'unavailable', detail } };
    }
    const part = await readPart(about, read);
    if ('unread' in part && /^(unavailable|throttled)$/.test(part.unread.kind)) this.#unanswered += 1;
    return part;
  }
}
