import { randomUUID } from 'node:crypto';
import { ArmError, badRequest } from '../arm/errors.ts';
import { asObject, asString } from '../json.ts';
import type { IdentityBlock, World } from '../world.ts';
import { sameId } from './encryption-identity.ts';

type UserAssigned = NonNullable<IdentityBlock['userAssignedIdentities']>;

/**
 * The identity block after a PUT or PATCH. `type` decides which kinds remain; `{"<id>": {}}` attaches a user-assigned
 * identity, and `{"<id>": null}` detaches it.
 *
 * @param mayAssign throws unless the caller may assign the identity; called only for newly attached ones
 */
export function patchIdentity(
  world: World,
  current: IdentityBlock | undefined,
  patch: unknown,
  mayAssign: (identityId: string) => void,
): IdentityBlock | undefined {
  if (patch === undefined) return current;

  const asked = asObject(patch) ?? { type: 'None' };
  const type = asString(asked.type) ?? current?.type ?? 'None';
  const kinds = type.split(',').map((kind) => kind.trim().toLowerCase());
  if (kinds.some((kind) => !['none', 'systemassigned', 'userassigned'].includes(kind))) {
    throw badRequest(`'${type}' is not a valid identity type.`, 'InvalidIdentityType');
  }

  const system = kinds.includes('systemassigned');

  const user = kinds.includes('userassigned')
    ? patchUserAssigned(
        world,
        current?.userAssignedIdentities ?? {},
        asObject(asked.userAssignedIdentities) ?? {},
        mayAssign,
      )
    : {};

  if (!system && kinds.includes('userassigned') && Object.keys(user).length === 0) {
    throw badRequest(
      "The identity type 'UserAssigned' needs at least one user assigned identity.",
      'InvalidIdentityValues',
    );
  }

  const spelled = [...(system ? ['SystemAssigned'] : []), ...(Object.keys(user).length > 0 ? ['UserAssigned'] : [])];

  return {
    ...(system ? { principalId: current?.principalId ?? randomUUID(), tenantId: world.tenantId } : {}),
    ...(Object.keys(user).length > 0 ? { userAssignedIdentities: user } : {}),
    type: spelled.join(',') || 'None',
  };
}

function patchUserAssigned(
  world: World,
  current: UserAssigned,
  asked: Record<string, unknown>,
  mayAssign: (identityId: string) => void,
): UserAssigned {
  const next: UserAssigned = { ...current };

  for (const [id, value] of Object.entries(asked)) {
    const known = Object.keys(next).find((key) => sameId(key, id));

    if (value === null) {
      if (known) delete next[known];
      continue;
    }

    if (known) continue;

    const identity = world.identities.get(id.toLowerCase());
    if (!identity) {
      throw new ArmError(
        400,
        'FailedIdentityOperation',
        `Identity operation for resource failed with error 'Failed to perform resource identity operation. Status: 'BadRequest'. Response: Resource '${id}' was not found.'`,
      );
    }

    mayAssign(identity.id);
    next[id] = { principalId: identity.principalId, clientId: identity.clientId };
  }

  return next;
}
