import type { Principal, World } from '../world.ts';
import { identityPrincipal } from './token-authority.ts';

/** Every principal of the tenant: sign-ins and the managed identities of its resources. */
export function everyPrincipal(world: World): Principal[] {
  const known = [...world.principals.values()];
  const identities = [...world.identities.values()].filter((identity) => !world.principals.has(identity.clientId));
  const owners = [...world.storageAccounts.values(), ...world.systemTopics.values(), ...world.customTopics.values()];
  const system = owners.flatMap(({ name, identity }) =>
    identity?.principalId ? [{ name, clientId: identity.principalId, principalId: identity.principalId }] : [],
  );
  return [...known, ...[...identities, ...system].map(identityPrincipal)];
}

/** What a role assignment calls the kind of a principal. The tenant has no groups. */
export function principalTypeOf({ kind }: Principal): 'User' | 'ServicePrincipal' {
  return kind === 'user' ? 'User' : 'ServicePrincipal';
}
