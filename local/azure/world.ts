import type { KeyObject } from 'node:crypto';
import type { Clock } from './clock.ts';

/**
 * The state of the local Azure. All services (ARM, Key Vault, Event Grid, the file service, Entra ID) read and change
 * it; none has state of its own that another one needs.
 */
export interface World {
  readonly clock: Clock;
  readonly tenantId: string;
  readonly settings: WorldSettings;
  /** By subscription id, lower case. */
  readonly subscriptions: Map<string, Subscription>;
  /** By ARM id, lower case. */
  readonly resourceGroups: Map<string, ResourceGroup>;
  /** By vault name, lower case; soft-deleted ones are in {@link deletedVaults}. */
  readonly vaults: Map<string, Vault>;
  readonly deletedVaults: Map<string, Vault>;
  /** Managed HSMs by name, lower case: vaults with {@link Vault.local}. */
  readonly managedHsms: Map<string, Vault>;
  /** By account name, lower case (names are unique in all Azure). */
  readonly storageAccounts: Map<string, StorageAccount>;
  /** Deleted accounts that can be recovered, with the time of the deletion (epoch milliseconds). */
  readonly deletedAccounts: { readonly account: StorageAccount; readonly deletedMs: number }[];
  /** Resources of other types, which only Resource Graph shows; by ARM id, lower case. */
  readonly otherResources: Map<string, OtherResource>;
  /** By ARM id, lower case. */
  readonly identities: Map<string, UserAssignedIdentity>;
  /** By ARM id, lower case. */
  readonly roleAssignments: Map<string, RoleAssignment>;
  /** Custom role definitions by ARM id, lower case. The built-in ones are in the code. */
  readonly roleDefinitions: Map<string, RoleDefinition>;
  /** By ARM id, lower case; includes those of system topics. */
  readonly eventSubscriptions: Map<string, EventSubscription>;
  /** ARM ids, lower case, of the functions with deployed code. Event Grid accepts only these as destinations. */
  readonly functions: Set<string>;
  /** By ARM id, lower case. */
  readonly systemTopics: Map<string, SystemTopic>;
  /** By ARM id, lower case. */
  readonly customTopics: Map<string, CustomTopic>;
  /** Diagnostic settings, locks, policies and federated credentials by ARM id, lower case. */
  readonly extensions: Map<string, ExtensionResource>;
  /** Log Analytics workspaces by their customer id (a GUID, lower case). */
  readonly workspaces: Map<string, Workspace>;
  /** The audit logs of the vaults, in order of writing. */
  readonly vaultLog: VaultLogEntry[];
  /** Successful changes, oldest first. */
  readonly activity: Activity[];
  /** Sign-ins of the tenant by client id (a GUID, lower case). */
  readonly principals: Map<string, Principal>;
  /** Object ids of the owners of the API's app registration, and of its service principal. */
  readonly apiOwners: { readonly applications: string[]; readonly servicePrincipals: string[] };
  /** Key Vault calls it; Event Grid delivers the event to every matching event subscription. */
  publish: (event: VaultEvent) => void;
  publishChange: (event: ResourceEvent) => void;
}

/** Settings for behaviour that Microsoft does not document. They can change at run time. */
export interface WorldSettings {
  /** A PATCH with `keyversion: ""` on an automatic account resolves the newest version at once. */
  refreshAutomaticOnPatch: boolean;
  /** Time between two checks of an automatic account for a new version (documented: daily). */
  automaticCheckMs: number;
  /** A PATCH may move an account off a disabled or deleted key. */
  repointFromDisabledKey: boolean;
  /** Delay until the file service notices that a key was disabled or enabled. */
  fileServiceDelayMs: number;
  /** Delay until a role assignment counts. */
  rolePropagationMs: number;
  /** How long a deletion of a key takes. Until then the key is neither live nor deleted. Azure takes 10 s and more. */
  keyDeletionMs: number;
  /**
   * `encryption.identity` may change from a user-assigned identity to a system-assigned one without access to the key.
   */
  switchToBlindIdentity: boolean;
  /** Rotate copies the tags of the previous version. */
  rotateCopiesTags: boolean;
  /** Delay until a log entry can be read in its workspace. */
  logDelayMs: number;
  /** ARM and Key Vault enforce the roles of their callers. The access of a storage identity is always checked. */
  enforceRoles: boolean;
  /** The token buckets of ARM, the Storage resource provider and Key Vault answer 429. */
  throttle: boolean;
  /** Delay of every answer. */
  latencyMs: number;
  /** A create in ARM returns the final state, instead of Creating or RegisteringDns. */
  instantProvisioning: boolean;
  /**
   * The effect of a PATCH on the fields of `encryption` that it omits: `merge` keeps them, `replace` removes them
   * (except infrastructure encryption, which cannot change).
   */
  encryptionPatch: 'merge' | 'replace';
  /** Accounts on a page of a storage account list. */
  storageListPageSize: number;
  /**
   * Answers have the sparser of the recorded forms: a list of ARM begins with an empty page that has a link, a rotation
   * policy that was never set has no id and null attributes, and a DELETE of Event Grid can only be polled by its
   * `Location`.
   */
  sparseAnswers: boolean;
  /**
   * `listKeys` returns the keys of storage accounts; false refuses, as `allowSharedKeyAccess: false` with a lock does.
   */
  listKeysAllowed: boolean;
  /** How long Storage takes to write an account, and refuses other writes meanwhile. Azure takes up to 36 s. */
  accountWriteMs: number;
  /**
   * The IPv4 address that a vault's firewall sees for every client of this machine. A private one (RFC 1918) stands for
   * a private endpoint, which no firewall checks.
   */
  callerAddress: string;
  /** Names of the vaults whose region is failed over: they answer reads and uses of keys, and refuse every change. */
  failedOverVaults: readonly string[];
  /** The order in which Key Vault lists a key's versions; by default oldest first. */
  versionListOrder?: 'oldestFirst' | 'newestFirst' | 'byVersion';
}

export interface Subscription {
  readonly subscriptionId: string;
  displayName: string;
  /** Resource providers that are not registered, in lower case; absent: each is. */
  unregistered?: readonly string[];
  state: 'Enabled' | 'Disabled';
}

export interface ResourceGroup {
  readonly id: string;
  readonly name: string;
  location: string;
  tags: Record<string, string>;
}

export interface Vault {
  readonly id: string;
  readonly name: string;
  location: string;
  tags: Record<string, string>;
  /** Everything under `properties` as ARM shows it (tenantId, sku, enablePurgeProtection, accessPolicies, vaultUri …). */
  properties: Record<string, unknown> & {
    vaultUri: string;
    enableSoftDelete?: boolean;
    enablePurgeProtection?: boolean;
    enableRbacAuthorization?: boolean;
    softDeleteRetentionInDays?: number;
    provisioningState: string;
  };
  /** By key name, lower case. */
  readonly keys: Map<string, Key>;
  readonly deletedKeys: Map<string, DeletedKey>;
  /** Absent for vaults older than Azure's `systemData`. */
  systemData?: SystemData;
  /** Only a Managed HSM has it: the access control of its keys. */
  readonly local?: LocalAccess;
}

/** Who created and last wrote a resource, and when (ISO 8601), as ARM shows it. */
export interface SystemData {
  readonly createdBy: string;
  readonly createdByType: 'User' | 'Application' | 'ManagedIdentity';
  readonly createdAt: string;
  readonly lastModifiedBy: string;
  readonly lastModifiedByType: SystemData['createdByType'];
  readonly lastModifiedAt: string;
}

/** The role-based access control of a Managed HSM's keys, which is separate from Azure RBAC. */
export interface LocalAccess {
  /** By name, lower case. */
  readonly roleAssignments: Map<string, LocalRoleAssignment>;
  /** Custom ones by name, lower case. The built-in ones are in the code. */
  readonly roleDefinitions: Map<string, LocalRoleDefinition>;
}

export interface LocalRoleAssignment {
  /** A GUID. */
  readonly name: string;
  /** `/`, `/keys` or `/keys/{name}`. */
  readonly scope: string;
  readonly principalId: string;
  /** Name of the role definition, lower case. */
  readonly role: string;
}

export interface LocalRoleDefinition {
  /** A GUID. */
  readonly name: string;
  readonly roleName: string;
  readonly type: 'AKVBuiltInRole' | 'CustomRole';
  readonly description: string;
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
}

export interface Key {
  readonly name: string;
  /** In order of creation, oldest first. */
  readonly versions: KeyVersion[];
  rotationPolicy: RotationPolicy | undefined;
}

export interface KeyVersion {
  /** 32 hexadecimal digits. */
  readonly version: string;
  readonly kty: 'RSA' | 'RSA-HSM' | 'EC' | 'EC-HSM' | 'oct-HSM';
  readonly keySize: number;
  /** The private key, generated on first use: wrap and unwrap really work. */
  readonly privateKey: KeyObject;
  keyOps: string[];
  tags: Record<string, string> | undefined;
  enabled: boolean;
  /** Epoch seconds. */
  nbf: number | undefined;
  exp: number | undefined;
  readonly created: number;
  updated: number;
  /** Epoch milliseconds of the last change of `enabled`, which the file service notices later. */
  enabledChangedMs: number;
  /** Imported key material (BYOK), which Key Vault cannot rotate by policy. */
  readonly imported: boolean;
  /** For a key in hardware. Absent: the current platform, `2`. */
  hsmPlatform?: '1' | '2';
}

export interface DeletedKey extends Key {
  readonly deletedDate: number;
  readonly scheduledPurgeDate: number;
  /**
   * Epoch milliseconds at which its deletion completes: until then it is not among the deleted keys. Absent: completed.
   */
  readonly deletedFromMs?: number;
}

export interface RotationPolicy {
  lifetimeActions: {
    trigger: { timeAfterCreate?: string | null; timeBeforeExpiry?: string | null };
    action: { type: string };
  }[];
  attributes: { expiryTime?: string | null; created?: number; updated?: number };
}

/** An ARM identity block as Azure shows it. */
export interface IdentityBlock {
  type: string;
  principalId?: string;
  tenantId?: string;
  userAssignedIdentities?: Record<string, { principalId: string; clientId: string }>;
}

export interface StorageAccount {
  readonly id: string;
  readonly name: string;
  location: string;
  kind: string;
  sku: { name: string; tier: string };
  tags: Record<string, string>;
  identity: IdentityBlock | undefined;
  /** Everything under `properties` except `encryption`. */
  properties: Record<string, unknown>;
  encryption: StorageEncryption;
  /** By scope name, lower case. */
  readonly encryptionScopes: Map<string, EncryptionScope>;
  /** By share name. */
  readonly fileShares: Map<string, FileShare>;
  /** By container name. */
  readonly blobContainers: Map<string, BlobContainer>;
  /** Texts of the messages, by queue name. */
  readonly queues: Map<string, string[]>;
  /** Entities, by table name. */
  readonly tables: Map<string, object[]>;
  /** Epoch milliseconds of the last check of an automatic account for a new version. */
  lastKeyCheckMs: number;
  /** The log of its vault has its unwraps up to this time. */
  loggedUntilMs?: number;
}

export interface BlobContainer {
  readonly name: string;
  /** Undefined: the account's key encrypts the blobs. */
  readonly defaultEncryptionScope: string | undefined;
  /** By blob name. */
  readonly blobs: Map<string, Blob>;
  immutability?: ImmutabilityPolicy;
}

/** A time-based retention policy of a container. */
export interface ImmutabilityPolicy {
  readonly days: number;
  readonly allowProtectedAppendWrites: boolean;
  readonly state: 'Unlocked' | 'Locked';
  readonly etag: string;
}

interface Blob {
  readonly content: Buffer;
  /** Lower case. Undefined: the account's key encrypts it. */
  readonly scope: string | undefined;
}

/** `properties.encryption` as on the wire, with Azure's lower-case `keyvaultproperties`. */
export interface StorageEncryption {
  keySource: string;
  services: Record<string, { enabled: boolean; keyType: string; lastEnabledTime?: string }>;
  requireInfrastructureEncryption?: boolean;
  identity?: { userAssignedIdentity?: string; federatedIdentityClientId?: string };
  keyvaultproperties?: {
    keyvaulturi: string;
    keyname: string;
    keyversion?: string;
    currentVersionedKeyIdentifier?: string;
    currentVersionedKeyExpirationTimestamp?: string;
    lastKeyRotationTimestamp?: string;
  };
}

export interface EncryptionScope {
  readonly name: string;
  source: 'Microsoft.Storage' | 'Microsoft.KeyVault';
  state: 'Enabled' | 'Disabled';
  requireInfrastructureEncryption?: boolean;
  keyVaultProperties?: { keyUri: string; currentVersionedKeyIdentifier?: string; lastKeyRotationTimestamp?: string };
  readonly creationTime: string;
  lastModifiedTime: string;
}

export interface FileShare {
  readonly name: string;
  readonly enabledProtocols: 'SMB' | 'NFS';
  shareQuota: number;
  readonly files: string[];
  accessTier?: string | undefined;
  rootSquash?: string | undefined;
  metadata?: Record<string, string> | undefined;
  /** The metadata of each snapshot, by its time. */
  snapshots?: Map<string, Record<string, string>>;
  modifiedTime?: string;
}

/** A resource of another service, stored as written: a disk encryption set, a SQL server. */
export interface OtherResource {
  readonly id: string;
  /** In Azure's spelling: `Microsoft.Compute/diskEncryptionSets`. */
  readonly type: string;
  location: string;
  tags?: Record<string, string>;
  properties: Record<string, unknown>;
  /** The managed identities, as Azure shows them. */
  identity?: unknown;
}

export interface UserAssignedIdentity {
  readonly id: string;
  readonly name: string;
  location: string;
  tags: Record<string, string>;
  readonly principalId: string;
  readonly clientId: string;
}

export interface RoleAssignment {
  readonly id: string;
  readonly scope: string;
  readonly principalId: string;
  readonly principalType: string;
  readonly roleDefinitionId: string;
  readonly createdMs: number;
  updatedMs?: number;
  /** Object ids. */
  readonly createdBy?: string;
  updatedBy?: string;
  condition?: string | undefined;
  conditionVersion?: string | undefined;
  description?: string | undefined;
  /** Absent: it has no end. */
  readonly endMs?: number;
}

export interface RoleDefinition {
  readonly id: string;
  readonly roleName: string;
  readonly type: 'BuiltInRole' | 'CustomRole';
  readonly actions: string[];
  readonly notActions: string[];
  readonly dataActions: string[];
  readonly notDataActions: string[];
  readonly assignableScopes: string[];
  readonly description?: string;
  /** Only for a custom role. */
  readonly history?: { createdMs: number; updatedMs: number; createdBy: string; updatedBy: string };
}

export interface SystemTopic {
  readonly id: string;
  readonly name: string;
  location: string;
  tags: Record<string, string>;
  source: string;
  topicType: string;
  identity?: IdentityBlock;
  /** Absent once it is `Succeeded`. */
  provisioningState?: string;
}

/** A topic for the events of applications. It has event subscriptions, but accepts no events here. */
export interface CustomTopic {
  readonly id: string;
  readonly name: string;
  location: string;
  tags: Record<string, string>;
  sku: Record<string, unknown>;
  identity: IdentityBlock;
  /** `properties` of the request. */
  properties: Record<string, unknown>;
  readonly metricResourceId: string;
  /** Absent once it is `Succeeded`. */
  provisioningState?: string;
}

export interface EventSubscription {
  readonly id: string;
  readonly name: string;
  /** ARM id of the vault whose events it gets. */
  readonly topic: string;
  /** Everything under `properties` as ARM shows it. */
  properties: Record<string, unknown>;
}

/** A resource that extends another one: a diagnostic setting, a lock, a federated credential of an identity. */
export interface ExtensionResource {
  readonly id: string;
  readonly type: string;
  readonly scope: string;
  /** Everything under `properties`, as written. */
  readonly properties: Record<string, unknown>;
}

export interface Workspace {
  readonly id: string;
  /** The id that queries use. */
  readonly customerId: string;
}

/** An entry of a vault's audit log (category AuditEvent), or a row for an hour of them. */
export interface VaultLogEntry {
  readonly id: string;
  readonly vaultId: string;
  /** ARM id of the workspace that has it, lower case. */
  readonly workspace: string;
  readonly table: 'AzureDiagnostics' | 'AZKVAuditLogs';
  /** `KeyWrap`, `KeyList` … */
  readonly operation: string;
  readonly keyName: string | undefined;
  readonly version: string | undefined;
  readonly objectId: string | undefined;
  readonly appId: string | undefined;
  readonly status: number;
  /** Epoch milliseconds of the first and the last entry of the row. */
  readonly fromMs: number;
  toMs: number;
}

export interface Activity {
  readonly timeMs: number;
  readonly resourceId: string;
  /** `microsoft.storage/storageaccounts/write`. */
  readonly operation: string;
  /** Object id. */
  readonly caller: string;
  readonly correlationId: string;
}

/** A user or an application that can sign in at the local Entra ID. */
export interface Principal {
  readonly displayName: string;
  readonly clientId: string;
  readonly objectId: string;
  readonly secret: string;
  readonly kind: 'application' | 'user' | 'managedIdentity';
  /** App roles on the app's API. */
  readonly appRoles: string[];
}

/** A write, deletion or action that Resource Manager completed. */
export interface ResourceEvent {
  readonly subscriptionId: string;
  readonly kind: 'Write' | 'Delete' | 'Action';
  /** The target of the request; for an action, the resource without the action. */
  readonly resourceId: string;
  /** `Microsoft.Storage/storageAccounts/write` */
  readonly operation: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly correlationId: string;
  /** Absent: the request created the resource. */
  readonly httpRequest?: { readonly method: string; readonly url: string };
}

export interface VaultEvent {
  readonly vault: Vault;
  readonly type:
    | 'Microsoft.KeyVault.KeyNewVersionCreated'
    | 'Microsoft.KeyVault.KeyNearExpiry'
    | 'Microsoft.KeyVault.KeyExpired';
  readonly keyName: string;
  readonly version: KeyVersion;
}
