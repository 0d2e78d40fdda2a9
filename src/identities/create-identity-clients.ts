import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import type { CallLimits } from '../azure/limits.ts';
import { createAuthorization } from './authorization-client.ts';
import { createIdentities } from './identity-client.ts';
import { createLocalRoles } from './local-role-client.ts';
import { createPrincipals } from './principal-client.ts';

export function createIdentityClients(credential: TokenCredential, cloud: Cloud, limits?: CallLimits) {
  return {
    authorization: createAuthorization(credential, cloud, limits),
    localRoles: createLocalRoles(credential, cloud),
    principals: createPrincipals(credential, cloud, limits),
    /** User-assigned identities: accounts use their keys with them. */
    identities: createIdentities(credential, cloud, limits),
  };
}
