import { ArmError } from '../arm/errors.ts';
import { grantingAssignments } from '../roles.ts';
import type { World } from '../world.ts';
import { guidOf } from './built-in-roles.ts';

/** The assignment to write or delete, which a condition may refer to. */
export interface DelegatedAssignment {
  readonly roleDefinitionId: string;
  readonly principalType: string;
}

/**
 * Refuses to write or delete an assignment if the conditions of the caller's own assignments exclude it (Azure RBAC,
 * "Delegate Azure role assignment management to others with conditions"). It evaluates conditions on the role and on
 * the kind of principal; a condition on anything else allows nothing.
 */
export function requireDelegation(
  world: World,
  caller: { readonly objectId: string; readonly clientId: string },
  verb: 'write' | 'delete',
  scope: string,
  assignment: DelegatedAssignment,
): void {
  if (!world.settings.enforceRoles) return;

  const action = `Microsoft.Authorization/roleAssignments/${verb}`;
  for (const { condition } of grantingAssignments(world, caller.objectId, scope, action, 'action')) {
    if (!condition || holds(condition, verb, assignment)) return;
  }

  throw new ArmError(
    403,
    'AuthorizationFailed',
    `The client '${caller.clientId}' with object id '${caller.objectId}' has an authorization with ABAC condition that is not fulfilled to perform action '${action}' over scope '${scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
  );
}

/** `((!(ActionMatches{'…/write'})) OR (@Request[…] … AND …)) AND (…)`: evaluates the part for the action. */
function holds(condition: string, verb: 'write' | 'delete', { roleDefinitionId, principalType }: DelegatedAssignment) {
  const text = condition.replaceAll(/\s+/g, ' ');
  const start = text.search(
    new RegExp(`ActionMatches\\{ ?'Microsoft\\.Authorization/roleAssignments/${verb}' ?\\}`, 'i'),
  );

  // A condition does not restrict what it does not name.
  if (start < 0) return true;

  const next = text.indexOf('ActionMatches', start + 1);
  const part = text.slice(start, next < 0 ? undefined : next);
  const attribute = String.raw`@(?:Request|Resource)\[Microsoft\.Authorization/roleAssignments:`;
  const roles = new RegExp(`${attribute}RoleDefinitionId\\] ForAnyOfAnyValues:GuidEquals ?\\{([^}]*)\\}`, 'i').exec(
    part,
  );
  const kinds = new RegExp(
    `${attribute}PrincipalType\\] ForAnyOfAnyValues:StringEqualsIgnoreCase ?\\{([^}]*)\\}`,
    'i',
  ).exec(part);

  if (!roles) return false;

  const listed = (list = ''): string[] => list.split(',').map((one) => one.trim().replaceAll("'", '').toLowerCase());

  return (
    listed(roles[1]).includes(guidOf(roleDefinitionId).toLowerCase()) &&
    (!kinds || listed(kinds[1]).includes(principalType.toLowerCase()))
  );
}
