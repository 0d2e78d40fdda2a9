import type { RoleGrant } from '../../src/identities/role-grant.ts';

// Role assignments as Azure has them, and who may do what by them. It is written from Azure's documentation, shares
// nothing with what it judges, and goes by the tree of places, not by the text of their ids.

/** A management group, a subscription, a resource group, a vault or a key. */
export interface Place {
  readonly id: string;
  /** Undefined: the root of the tenant, or of a Managed HSM. */
  readonly above: Place | undefined;
}

export interface Role {
  readonly roleId: string;
  readonly allows: readonly string[];
  readonly excludes: readonly string[];
}

export interface Assignment {
  readonly name: string;
  readonly place: Place;
  /** A principal or a group. */
  readonly holder: string;
  readonly role: Role;
  readonly condition?: string;
  /** Time-bound, by Privileged Identity Management. */
  readonly endsOn?: Date;
}

/** `perhaps`: a condition decides it. */
export type Answer = 'yes' | 'perhaps' | 'no';

function isUnder(place: Place, top: Place): boolean {
  for (let at: Place | undefined = place; at; at = at.above) {
    if (at === top) return true;
  }
  return false;
}

function isLike(pattern: string, action: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.]/g, '\\.'));
  return new RegExp(`^${parts.join('.*')}$`, 'i').test(action);
}

export class Tenant {
  assignments: Assignment[] = [];
  /** The groups that a principal or a group is in, by its id. */
  readonly #groups: ReadonlyMap<string, readonly string[]>;
  /** Azure changes the letter case of ids. */
  readonly #spell: (id: string) => string;

  constructor(groups: ReadonlyMap<string, readonly string[]>, spell: (id: string) => string) {
    this.#groups = groups;
    this.#spell = spell;
  }

  /** The principal and each group that contains it, however deep. */
  holders(principal: string): ReadonlySet<string> {
    const found = new Set([principal]);
    for (const holder of found) {
      for (const group of this.#groups.get(holder) ?? []) found.add(group);
    }
    return found;
  }

  /** Whether the principal may do all of these at the place. */
  reaches(principal: string, place: Place, actions: readonly string[]): Answer {
    const answers = actions.map((action) => this.#may(principal, place, action));
    if (answers.includes('no')) return 'no';
    return answers.includes('perhaps') ? 'perhaps' : 'yes';
  }

  /** The assignments by which the principal may do any of these at the place, if their conditions allow it. */
  letting(principal: string, place: Place, actions: readonly string[]): Assignment[] {
    const lets = (one: Assignment) => actions.some((action) => this.#lets(one, principal, place, action));
    return this.assignments.filter(lets);
  }

  #may(principal: string, place: Place, action: string): Answer {
    const letting = this.assignments.filter((one) => this.#lets(one, principal, place, action));
    if (letting.some(({ condition }) => condition === undefined)) return 'yes';
    return letting.length > 0 ? 'perhaps' : 'no';
  }

  #lets({ place: top, holder, role }: Assignment, principal: string, place: Place, action: string): boolean {
    if (!isUnder(place, top) || !this.holders(principal).has(holder)) return false;
    const isAllowed = role.allows.some((pattern) => isLike(pattern, action));
    return isAllowed && !role.excludes.some((pattern) => isLike(pattern, action));
  }

  /** The assignments at a place, above and below it. */
  around(place: Place): readonly RoleGrant[] {
    const isNear = (one: Assignment) => isUnder(place, one.place) || isUnder(one.place, place);
    return this.assignments.filter(isNear).map((one) => this.#grant(one, one.holder));
  }

  /** The assignments to a principal and to its groups at a place and above. */
  assignedTo(principal: string, place: Place): readonly RoleGrant[] {
    const holders = this.holders(principal);
    const isOf = (one: Assignment) => isUnder(place, one.place) && holders.has(one.holder);
    return this.assignments.filter(isOf).map((one) => this.#grant(one, principal));
  }

  /** The assignments at this place alone, as a Managed HSM lists them. */
  at(place: Place): readonly RoleGrant[] {
    return this.assignments.filter((one) => one.place === place).map((one) => this.#grant(one, one.holder));
  }

  ends(place: Place): ReadonlyMap<string, Date> {
    const ends = new Map<string, Date>();
    for (const one of this.assignments) {
      if (one.endsOn && isUnder(place, one.place)) ends.set(idOf(one).toLowerCase(), one.endsOn);
    }
    return ends;
  }

  describe(): string {
    const lines = this.assignments.map(({ place, holder, role, condition, endsOn }) => {
      const rights = `${role.allows} but ${role.excludes.join() || 'nothing'}`;
      return `  ${holder} at ${place.id}: ${rights}${condition ? ', on a condition' : ''}${endsOn ? ', for a time' : ''}`;
    });
    return lines.join('\n');
  }

  #grant(one: Assignment, principal: string): RoleGrant {
    const { name, place, holder, role, condition } = one;

    return {
      id: this.#spell(idOf(one)),
      principalId: this.#spell(principal),
      scope: this.#spell(place.id),
      dataActions: role.allows,
      notDataActions: role.excludes,
      conditional: condition !== undefined,
      assignment: {
        name,
        roleId: role.roleId,
        assignee: this.#spell(holder),
        ...(condition ? { condition, conditionVersion: '2.0' } : {}),
      },
    };
  }
}

function idOf({ place, name }: Assignment): string {
  const scope = place.id === '/' ? '' : place.id;
  return `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
}
