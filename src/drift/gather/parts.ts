import type { PolicyInsights } from '../../accounts/policy-insights-client.ts';
import type { AccountScopes, StorageAccounts } from '../../accounts/storage-client.ts';
import type { Subscriptions, Tenants } from '../../accounts/subscriptions-client.ts';
import type { AuditWatch } from '../../audit/verify-trail.ts';
import type { What } from '../../azure/read-or-why.ts';
import type { EventGrid } from '../../events/event-grid-client.ts';
import type { Authorization } from '../../identities/authorization-client.ts';
import type { Identities } from '../../identities/identity-client.ts';
import { GROUP_ROLES_READ, LOCAL_ROLES_READ, type LocalAccessServices } from '../../identities/local-access-reader.ts';
import type { RolloutStore } from '../../index/rollout-row.ts';
import type { UseRows } from '../../index/use-row.ts';
import type { KeyUserResources, ResourceGraph } from '../../key-users/resource-graph-client.ts';
import type { KeyCatalog, Keys } from '../../keys/key-client.ts';
import { readKeysRight, readPolicyRight, readVaultRight } from '../../keys/key-rights.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import type { KeyUsageLog } from '../../keys/usage-log-client.ts';
import type { Settings } from '../../settings/settings.ts';
import type { KeyPolicies } from '../../vaults/key-policy-client.ts';
import type { Vaults } from '../../vaults/vault-client.ts';
import type { VaultGuards } from '../../vaults/vault-guards-client.ts';
import type { AppState } from '../store/app-state-client.ts';
import type { AccountMemoryStore, ReportStore } from '../store/drift-storage-client.ts';

/** The services for reading. None of them writes. */
export type GatherServices = LocalAccessServices & {
  readonly settings: Settings;
  readonly subscriptions: Subscriptions;
  readonly tenants: Tenants;
  readonly accounts: StorageAccounts & AccountScopes;
  readonly identities: Identities;
  readonly authorization: Authorization;
  readonly vaults: Vaults;
  readonly vaultGuards: VaultGuards;
  readonly keyPolicies: KeyPolicies;
  readonly policyInsights: PolicyInsights;
  readonly eventGrid: EventGrid;
  readonly keys: Keys;
  readonly keyCatalog: KeyCatalog;
  readonly usageLog: KeyUsageLog;
  readonly resourceGraph: ResourceGraph;
  readonly keyUsers: KeyUserResources;
  readonly driftStorage: Pick<ReportStore, 'before'> & Pick<AccountMemoryStore, 'managedAccounts'> & AppState;
  /** Progress of each key's rotation; undefined if this check does not read it. */
  readonly rollouts?: Pick<RolloutStore, 'all'> | undefined;
  /** The fleet index; undefined if unavailable. */
  readonly useRows?: Pick<UseRows, 'of'> | undefined;
  /** The audit trail to verify; undefined if this check does not verify it. */
  readonly auditWatch?: Pick<AuditWatch, 'files'> | undefined;
  readonly now: () => Date;
};

const BLOBS = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
const ENTITIES = 'Microsoft.Storage/storageAccounts/tableServices/tables/entities/read';
const IDENTITIES = 'Microsoft.ManagedIdentity/userAssignedIdentities/read';
const ROLES = 'Microsoft.Authorization/roleAssignments/read';
const EVENTS = 'Microsoft.EventGrid/eventSubscriptions/read';
const SUBSCRIPTIONS = 'Microsoft.Resources/subscriptions/read';
const SCOPES = 'Microsoft.Storage/storageAccounts/encryptionScopes/read';
export const LIST_ACCOUNTS = 'Microsoft.Storage/storageAccounts/read';

const part = (what: string, action: string) => (resource: string) => ({ resource, what, action });
/** A part that no other finding needs: its failed read is only advice, and the check still counts as complete. */
const optional = (what: string, action: string) => (resource: string) => ({ resource, what, action, isOptional: true });

/** Everything that the check reads, with the permission that each read requires. */
export const PARTS = {
  poison: part('the poison queues', 'Microsoft.Storage/storageAccounts/queueServices/queues/read'),
  previous: part('the previous report', BLOBS),
  managedAccounts: part('the accounts that used a managed key before', BLOBS),
  trail: part('the audit trail', BLOBS),
  deadLetters: part('the events that could not be delivered', BLOBS),
  rollouts: optional('the progress of rotations', ENTITIES),
  subscriptions: part('the subscriptions', SUBSCRIPTIONS),
  tenants: part('the tenants of the subscriptions', SUBSCRIPTIONS),
  ownStorage: optional("the app's own storage account", LIST_ACCOUNTS),
  watches: optional('the event subscriptions of the subscription', EVENTS),
  accounts: part('the storage accounts of the subscription', LIST_ACCOUNTS),
  scopes: part('the encryption scopes of the account', SCOPES),
  allScopes: part('the encryption scopes of its accounts', SCOPES),
  moveDenials: optional(
    'what Azure Policy denies of the storage accounts of the subscription',
    'Microsoft.PolicyInsights/policyStates/queryResults/action',
  ),
  identity: part('the identity', IDENTITIES),
  identities: part('the user-assigned identities of the subscription', IDENTITIES),
  others: optional('resources of other services that use its keys', 'Microsoft.ResourceGraph/resources/read'),
  vault: (vault: ManagedVault) => part('the vault', readVaultRight(vault))(vault.id),
  keys: (vault: ManagedVault) => part('the keys of the vault', readKeysRight(vault))(vault.id),
  auditLog: optional('the diagnostic settings of the vault', 'Microsoft.Insights/diagnosticSettings/read'),
  locks: optional('the locks of the vault', 'Microsoft.Authorization/locks/read'),
  events: part('the event subscriptions of the vault', EVENTS),
  topic: part('the system topic of the vault', 'Microsoft.EventGrid/systemTopics/read'),
  roles: part('the role assignments of the vault', ROLES),
  roleEnds: optional(
    'the end dates of role assignments of the vault',
    'Microsoft.Authorization/roleAssignmentScheduleInstances/read',
  ),
  groups: part(GROUP_ROLES_READ.what, GROUP_ROLES_READ.action),
  localRoles: part(LOCAL_ROLES_READ.what, LOCAL_ROLES_READ.action),
  versions: ({ id, vault }: ManagedKey) => part('the versions of the key', readKeysRight(vault))(id),
  rotationPolicy: ({ id, vault }: ManagedKey) => part('the rotation policy of the key', readPolicyRight(vault))(id),
  material: ({ id, vault }: ManagedKey) => part('the type of the key', readKeysRight(vault))(id),
} satisfies Record<string, (of: never) => What>;
