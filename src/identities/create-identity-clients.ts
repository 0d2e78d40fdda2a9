import { createAccountTags } from '../accounts/account-tags-client.ts';
import { createScopeStates, type ScopeStates } from '../accounts/scope-state-client.ts';
import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import { createResources, type Resources } from '../azure/resources-client.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { AccountTags } from '../revocation/account-part.ts';
import { type Authorization, createAuthorization } from './authorization-client.ts';
import { createIdentities, type Identities } from './identity-client.ts';
import { createKeyRoleAssignments, type KeyRoleAssignments } from './key-role-client.ts';
import { createLocalRoles, type LocalRoles } from './local-role-client.ts';
import { createPrincipals, type Principals } from './principal-client.ts';

/** Who may use keys; what a revocation below the key takes away of that, and where its record stands. */
export interface IdentityClients {
  readonly authorization: Authorization;
  /** Those of Managed HSMs. */
  readonly localRoles: LocalRoles;
  readonly principals: Principals;
  /** The user-assigned identities that accounts reach their keys with. */
  readonly identities: Identities;
  readonly keyRoles: KeyRoleAssignments;
  readonly scopeStates: ScopeStates;
  readonly tags: AccountTags;
  /** Finds an account by its name. */
  readonly resources: Resources;
}

export function createIdentityClients(
  credential: TokenCredential,
  cloud: Cloud,
  accounts: Pick<StorageAccounts, 'get'>,
  limits?: CallLimits,
): IdentityClients {
  return {
    authorization: createAuthorization(credential, cloud, limits),
    localRoles: createLocalRoles(credential, cloud),
    principals: createPrincipals(credential, cloud, limits),
    identities: createIdentities(credential, cloud, limits),
    keyRoles: createKeyRoleAssignments(credential, cloud, limits),
    scopeStates: createScopeStates(credential, cloud, limits),
    tags: createAccountTags(credential, cloud, accounts, limits),
    resources: createResources(credential, cloud, LIMITS.resourceManager),
  };
}
