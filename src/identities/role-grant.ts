import { globMatches } from '../settings/glob.ts';

/** A role assignment together with what its role allows. */
export interface RoleGrant {
  /** ARM id of the assignment. */
  readonly id?: string;
  readonly principalId: string;
  /** ARM id that it is made at, or a scope of a Managed HSM (`/keys`); it holds for everything below. */
  readonly scope: string;
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
  /** It holds under a condition, which is not evaluated here. */
  readonly conditional: boolean;
  /** Of an assignment in Azure. */
  readonly assignment?: AssignedRole;
}

/** What makes an assignment, so that it can be made again. */
interface AssignedRole {
  /** GUID of the assignment. */
  readonly name: string;
  /** GUID of the role. */
  readonly roleId: string;
  /** Who it names: the principal, or a group that it is in. */
  readonly assignee: string;
  readonly description?: string;
  readonly condition?: string;
  readonly conditionVersion?: string;
}

/** Role assignments are inherited: one at a subscription, a group or the vault holds for the key too. */
export function covers(assignedAt: string, scope: string): boolean {
  const parent = assignedAt.toLowerCase().replace(/\/+$/, '');
  const child = scope.toLowerCase();
  return parent === '' || child === parent || child.startsWith(`${parent}/`);
}

/** The vault that a role is assigned at, or at one key of (`…/vaults/{vault}/keys/{key}`). */
export function vaultOfRole(scope: string): string {
  return scope.replace(/\/keys\/[0-9a-z-]+$/i, '');
}

/** One role at a time: what a role excludes, another one may still allow (Azure RBAC, "NotDataActions"). */
export function allows(role: Pick<RoleGrant, 'dataActions' | 'notDataActions'>, dataAction: string): boolean {
  const among = (patterns: readonly string[]): boolean => patterns.some((pattern) => globMatches(pattern, dataAction));
  return among(role.dataActions) && !among(role.notDataActions);
}

/** What a principal's own roles at a scope and above do not allow. A role with a condition does not count. */
export function lackingActions(
  actions: readonly string[],
  principalId: string,
  scope: string,
  grants: readonly RoleGrant[],
): string[] {
  const isOwn = (grant: RoleGrant): boolean => grant.principalId.toLowerCase() === principalId.toLowerCase();
  const own = grants.filter((grant) => isOwn(grant) && covers(grant.scope, scope) && !grant.conditional);
  return actions.filter((action) => !own.some((grant) => allows(grant, action)));
}
