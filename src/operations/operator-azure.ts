import { setTimeout as sleep } from 'node:timers/promises';
import { createScopeStates, type ScopeStates } from '../accounts/scope-state-client.ts';
import { createSubscriptions, type Subscriptions } from '../accounts/subscriptions-client.ts';
import { type AuditPolicies, createAuditPolicies } from '../audit/immutability-client.ts';
import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { withTokenDeadline } from '../azure/deadline.ts';
import { type CallLimits, LIMITS, OPERATOR_TOKEN_MS } from '../azure/limits.ts';
import { createResources, type Resources } from '../azure/resources-client.ts';
import { createResourceGraph, type ResourceGraph } from '../dependents/resource-graph-client.ts';
import {
  createDeletedAccounts,
  createFileShares,
  type DeletedAccounts,
  type FileShares,
} from '../dependents/stored-data-client.ts';
import { createFileService, type FileService } from '../effect/data-services-client.ts';
import { type AccountSetup, createStorageAccounts } from '../fleet/storage-client.ts';
import type { Authorization } from '../identities/authorization-client.ts';
import { createIdentityClients, type IdentityClients } from '../identities/create-identity-clients.ts';
import type { Identities } from '../identities/identity-client.ts';
import { createKeyRoleAssignments, type KeyRoleAssignments } from '../identities/key-role-client.ts';
import { createRegistrationOwners, type RegistrationOwners } from '../identities/registration-owners-client.ts';
import { createRoleAssignments, type RoleAssignments } from '../identities/role-assignment-client.ts';
import { createKeyAdmin, type KeyAdmin } from '../keys/key-admin-client.ts';
import { createKeys, type Keys, type KeysOptions, URGENT_OPTIONS } from '../keys/key-client.ts';
import { createKeyUsageLog, type KeyUsageLog } from '../keys/usage-log-client.ts';
import { createVaults, type VaultSetup } from '../vaults/vault-client.ts';
import { createVaultGuards, type VaultGuards } from '../vaults/vault-guards-client.ts';
import type { Journal } from './journal.ts';
import { type Operator, readOperator } from './operator.ts';

export interface Azure {
  readonly cloud: Cloud;
  /** Subscription in which resources are created by default. */
  readonly defaultSubscription: string | undefined;
  /** Who is signed in, as a token for Key Vault says: break-glass depends on no other service. */
  readonly operator: () => Promise<Operator>;
  readonly subscriptions: Subscriptions;
  readonly resources: Resources;
  readonly accounts: AccountSetup;
  readonly auditPolicies: AuditPolicies;
  readonly shares: FileShares;
  readonly deletedAccounts: DeletedAccounts;
  /** Who used a key, by the log in a workspace; undefined: it is not known where the log is. */
  readonly usageLog: (workspace: string | undefined) => KeyUsageLog;
  readonly fileService: FileService;
  readonly resourceGraph: ResourceGraph;
  readonly vaults: VaultSetup;
  readonly vaultGuards: VaultGuards;
  readonly keys: Keys;
  /** The same for break-glass: short deadlines, and no retries by the SDK. */
  readonly urgentKeys: Keys;
  readonly keyAdmin: KeyAdmin;
  readonly identities: Identities;
  readonly authorization: Authorization;
  readonly localRoles: IdentityClients['localRoles'];
  readonly principals: IdentityClients['principals'];
  readonly roles: RoleAssignments;
  /** The roles that let identities use keys. */
  readonly keyRoles: KeyRoleAssignments;
  readonly scopeStates: ScopeStates;
  readonly registrationOwners: RegistrationOwners;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

export interface Operation {
  readonly azure: Azure;
  readonly journal: Journal;
  /** The app's settings, where they are known: what they say is compared with what is done. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const PERSON_OPTIONS: KeysOptions = { limits: LIMITS.operator };

/**
 * No call is made yet, and no token is fetched.
 *
 * @param limits of calls of Azure Resource Manager; break-glass on a key keeps its own
 */
export function createAzure(
  signIn: TokenCredential,
  cloud: Cloud,
  defaultSubscription?: string,
  limits: CallLimits = LIMITS.commandLine,
): Azure {
  const credential = withTokenDeadline(signIn, OPERATOR_TOKEN_MS);
  return {
    cloud,
    defaultSubscription,
    operator: () => readOperator(credential, `https://${cloud.keyVaultSuffix}/.default`),
    subscriptions: createSubscriptions(credential, cloud, limits),
    ...createIdentityClients(credential, cloud, limits),
    resources: createResources(credential, cloud, limits),
    accounts: createStorageAccounts(credential, cloud, limits),
    auditPolicies: createAuditPolicies(credential, cloud, limits),
    shares: createFileShares(credential, cloud, limits),
    deletedAccounts: createDeletedAccounts(credential, cloud, limits),
    usageLog: (workspace) => createKeyUsageLog(credential, cloud, workspace),
    fileService: createFileService(credential, cloud),
    resourceGraph: createResourceGraph(credential, cloud, limits),
    vaults: createVaults(credential, cloud, limits),
    vaultGuards: createVaultGuards(credential, cloud, limits),
    keys: createKeys(credential, PERSON_OPTIONS),
    urgentKeys: createKeys(credential, URGENT_OPTIONS),
    keyAdmin: createKeyAdmin(credential, LIMITS.operator),
    roles: createRoleAssignments(credential, cloud, limits),
    keyRoles: createKeyRoleAssignments(credential, cloud, limits),
    scopeStates: createScopeStates(credential, cloud, limits),
    registrationOwners: createRegistrationOwners(credential, cloud, limits),
    now: () => new Date(),
    sleep: (ms) => sleep(ms),
  };
}
