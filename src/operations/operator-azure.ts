import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { createStorageAccounts, type StorageAccounts } from '../accounts/storage-client.ts';
import { createSubscriptions, type Subscriptions } from '../accounts/subscriptions-client.ts';
import type { Cloud } from '../azure/cloud.ts';
import { createResources, type Resources } from '../azure/resources-client.ts';
import { createFileShares, type FileShares } from '../dependents/file-shares-client.ts';
import { createResourceGraph, type ResourceGraph } from '../dependents/resource-graph-client.ts';
import { createFileService, type FileService } from '../effect/file-service-client.ts';
import { type Authorization, createAuthorization } from '../identities/authorization-client.ts';
import { createIdentities, type Identities } from '../identities/identity-client.ts';
import { createRoleAssignments, type RoleAssignments } from '../identities/role-assignment-client.ts';
import { createKeyCatalog, type KeyCatalog } from '../keys/key-catalog-client.ts';
import { createKeys, type Keys, type KeysOptions, URGENT_OPTIONS } from '../keys/key-client.ts';
import { createVaults, type Vaults } from '../vaults/vault-client.ts';
import { type AccountSetup, createAccountSetup } from './account/account-client.ts';
import type { Journal } from './journal.ts';
import { createKeyMaterial, type KeyMaterial } from './key/key-material-client.ts';
import { type Operator, readOperator } from './operator.ts';
import { createVaultSetup, type VaultSetup } from './vault/vault-setup-client.ts';

/** Azure as an operator's sign-in reaches it. */
export interface Azure {
  readonly cloud: Cloud;
  /** Where things are created when nobody says where. */
  readonly defaultSubscription: string | undefined;
  /** Who is signed in, as a token for Key Vault says: break-glass asks nobody else. */
  readonly operator: () => Promise<Operator>;
  readonly subscriptions: Subscriptions;
  readonly resources: Resources;
  readonly accounts: StorageAccounts;
  readonly accountSetup: AccountSetup;
  readonly shares: FileShares;
  readonly fileService: FileService;
  readonly resourceGraph: ResourceGraph;
  readonly vaults: Vaults;
  readonly vaultSetup: VaultSetup;
  readonly keys: Keys;
  /** The same for break-glass: requests are given up early, and never retried out of sight. */
  readonly urgentKeys: Keys;
  readonly keyCatalog: KeyCatalog;
  readonly keyMaterial: KeyMaterial;
  readonly identities: Identities;
  readonly authorization: Authorization;
  readonly roles: RoleAssignments;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/** What every operation is given. */
export interface Procedure {
  readonly azure: Azure;
  readonly journal: Journal;
}

/** A person waits, and new keys in hardware take a while. */
const PERSON_OPTIONS: KeysOptions = { maxRetries: 3, timeoutMs: 60_000 };

/** No call is made yet, and no token is fetched. */
export function createAzure(credential: TokenCredential, cloud: Cloud, defaultSubscription?: string): Azure {
  return {
    cloud,
    defaultSubscription,
    operator: () => readOperator(credential, `https://${cloud.keyVaultSuffix}/.default`),
    subscriptions: createSubscriptions(credential, cloud),
    resources: createResources(credential, cloud),
    accounts: createStorageAccounts(credential, cloud),
    accountSetup: createAccountSetup(credential, cloud),
    shares: createFileShares(credential, cloud),
    fileService: createFileService(credential, cloud),
    resourceGraph: createResourceGraph(credential, cloud),
    vaults: createVaults(credential, cloud),
    vaultSetup: createVaultSetup(credential, cloud),
    keys: createKeys(credential, PERSON_OPTIONS),
    urgentKeys: createKeys(credential, URGENT_OPTIONS),
    keyCatalog: createKeyCatalog(credential),
    keyMaterial: createKeyMaterial(credential),
    identities: createIdentities(credential, cloud),
    authorization: createAuthorization(credential, cloud),
    roles: createRoleAssignments(credential, cloud),
    now: () => new Date(),
    sleep: (ms) => sleep(ms),
  };
}
