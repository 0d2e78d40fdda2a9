import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import type { CallLimits } from '../azure/limits.ts';
import { type Authorization, createAuthorization } from './authorization-client.ts';
import { createIdentities, type Identities } from './identity-client.ts';
import { createLocalRoles, type LocalRoles } from './local-role-client.ts';
import { createPrincipals, type Principals } from './principal-client.ts';

interface IdentityClients {
  readonly authorization: Authorization;
  readonly localRoles: LocalRoles;
  readonly principals: Principals;
  /** User-assigned identities: accounts use their keys with them. */
  readonly identities: Identities;
}

export function createIdentityClients(credential: TokenCredential, cloud: Cloud, limits?: CallLimits): IdentityClients {
  return {
    authorization: createAuthorization(credential, cloud, limits),
    localRoles: createLocalRoles(credential, cloud),
    principals: createPrincipals(credential, cloud, limits),
    identities: createIdentities(credential, cloud, limits),
  };
}
