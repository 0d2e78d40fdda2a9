import type { KeyObject } from 'node:crypto';
import type { Clock } from './clock.ts';

/**
 * What the local Azure knows. The services (ARM, Key Vault, Event Grid, the file service, Entra ID) read and change it;
 * none of them keeps state of its own that another one needs.
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
  /** Accounts that were deleted and can be recovered, by the time of that (epoch milliseconds). */
  readonly deletedAccounts: { readonly account: StorageAccount; readonly deletedMs: number }[];
  /** Resources of other types, which Resource Graph alone shows; by ARM id, lower case. */
  readonly otherResources: Map<string, OtherResource>;
  /** By ARM id, lower case. */
  readonly identities: Map<string, UserAssignedIdentity>;
  /** By ARM id, lower case. */
  readonly roleAssignments: Map<string, RoleAssignment>;
  /** Custom role definitions by ARM id, lower case; built-in ones are code. */
  readonly roleDefinitions: Map<string, RoleDefinition>;
  /** By ARM id, lower case, those of system topics too. */
  readonly eventSubscriptions: Map<string, EventSubscription>;
  /** ARM ids, lower case, of the functions whose code is deployed: Event Grid takes no other as a destination. */
  readonly functions: Set<string>;
  /** By ARM id, lower case. */
  readonly systemTopics: Map<string, SystemTopic>;
  /** By ARM id, lower case. */
  readonly customTopics: Map<string, CustomTopic>;
  /** Diagnostic settings, locks, policies and federated credentials by ARM id, lower case. */
  readonly extensions: Map<string, ExtensionResource>;
  /** Log Analytics workspaces by their customer id (a GUID, lower case). */
  readonly workspaces: Map<string, Workspace>;
  /** The audit logs of the vaults, in the order in which they were written. */
  readonly vaultLog: VaultLogEntry[];
  /** Changes that were carried out, oldest first. */
  readonly activity: Activity[];
  /** Sign-ins of the tenant by client id (a GUID, lower case). */
  readonly principals: Map<string, Principal>;
  /** Object ids of the owners of the API's app registration, and of its service principal. */
  readonly apiOwners: { readonly applications: string[]; readonly servicePrincipals: string[] };
  /** Called by Key Vault; Event Grid delivers to every event subscription that asks for it. */
  publish: (event: VaultEvent) => void;
  publishChange: (event: ResourceEvent) => void;
}

/** Behaviours that Microsoft does not document: each is a setting, changeable while it runs. */
export interface WorldSettings {
  /** A PATCH with `keyversion: ""` on an account that is automatic already resolves the newest version at once. */
  refreshAutomaticOnPatch: boolean;
  /** Automatic accounts look for a new version this long after their last look (documented: daily). */
  automaticCheckMs: number;
  /** A PATCH that moves an account off a disabled or deleted key is taken. */
  repointFromDisabledKey: boolean;
  /** How long after a key is disabled (or enabled) the file service notices. */
  fileServiceDelayMs: number;
  /** How long after a role assignment is made it counts. */
  rolePropagationMs: number;
  /** How long deleting a key takes: until then it is neither there nor among the deleted keys. Azure takes 10 s and more. */
  keyDeletionMs: number;
  /** `encryption.identity` can go from a user-assigned identity to a system-assigned one that has no access to the key. */
  switchToBlindIdentity: boolean;
  /** Rotate copies the tags of the version before. */
  rotateCopiesTags: boolean;
  /** How long after it was written an entry of a log can be read in its workspace. */
  logDelayMs: number;
  /** Role assignments are enforced for callers of ARM and Key Vault (a storage identity's access is always checked). */
  enforceRoles: boolean;
  /** The token buckets of ARM, the Storage resource provider and Key Vault refuse with 429. */
  throttle: boolean;
  /** Added to every answer. */
  latencyMs: number;
  /** An ARM create answers at once with its end state instead of passing through Creating / RegisteringDns. */
  instantProvisioning: boolean;
  /**
   * What a PATCH means for the fields of `encryption` that it leaves out: `merge` keeps them, `replace` drops them (but
   * for infrastructure encryption, which cannot change).
   */
  encryptionPatch: 'merge' | 'replace';
  /** Accounts on a page of a storage account list. */
  storageListPageSize: number;
  /**
   * Answers have the sparser of the forms that were recorded: a list of ARM begins with an empty page that links on, a
   * rotation policy that was never set has no id and null for its attributes, and a DELETE of Event Grid can be followed
   * by its `Location` alone.
   */
  sparseAnswers: boolean;
  /** Storage accounts hand out their keys by `listKeys`; false refuses as `allowSharedKeyAccess: false` with a lock does. */
  listKeysAllowed: boolean;
  /** How long Storage takes for a write of an account, which has the account to itself meanwhile. Azure takes up to 36 s. */
  accountWriteMs: number;
  /**
   * The IPv4 address from which a vault's firewall sees every client of this machine. A private one (RFC 1918) comes by a
   * private endpoint, to which no firewall applies.
   */
  callerAddress: string;
  /** The order in which Key Vault lists a key's versions; oldest first when absent. */
  versionListOrder?: 'oldestFirst' | 'newestFirst' | 'byVersion';
}

export interface Subscription {
  readonly subscriptionId: string;
  displayName: string;
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
  /** Absent from vaults that were made before Azure kept it. */
  systemData?: SystemData;
  /** A Managed HSM has it, and nothing else: its keys have an access control of their own. */
  readonly local?: LocalAccess;
}

/** Who made and last wrote a resource, and when (ISO 8601), as ARM shows it. */
export interface SystemData {
  readonly createdBy: string;
  readonly createdByType: 'User' | 'Application' | 'ManagedIdentity';
  readonly createdAt: string;
  readonly lastModifiedBy: string;
  readonly lastModifiedByType: SystemData['createdByType'];
  readonly lastModifiedAt: string;
}

/** The role-based access control of a Managed HSM's keys, which Azure RBAC knows nothing of. */
export interface LocalAccess {
  /** By name, lower case. */
  readonly roleAssignments: Map<string, LocalRoleAssignment>;
  /** Custom ones by name, lower case; built-in ones are code. */
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
  /** The private key, made when it is first asked for: wrap and unwrap really work. */
  readonly privateKey: KeyObject;
  keyOps: string[];
  tags: Record<string, string> | undefined;
  enabled: boolean;
  /** Epoch seconds. */
  nbf: number | undefined;
  exp: number | undefined;
  readonly created: number;
  updated: number;
  /** Epoch milliseconds of the last change of `enabled`: the file service notices later. */
  enabledChangedMs: number;
  /** Imported key material (BYOK): Key Vault cannot rotate it by policy. */
  readonly imported: boolean;
  /** Of a key in hardware; absent: the current one, `2`. */
  hsmPlatform?: '1' | '2';
}

export interface DeletedKey extends Key {
  readonly deletedDate: number;
  readonly scheduledPurgeDate: number;
  /** Epoch milliseconds of the end of its deletion: until then it is not among the deleted keys. Absent: it is over. */
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
  /** Epoch milliseconds of the last time an automatic account looked for a new version. */
  lastKeyCheckMs: number;
  /** Until when its unwraps are in the log of its vault. */
  loggedUntilMs?: number;
}

export interface BlobContainer {
  readonly name: string;
  /** Undefined: blobs are under the key of the account. */
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
  /** Lower case; undefined: it is under the key of the account. */
  readonly scope: string | undefined;
}

/** `properties.encryption` in the words of the wire (facts: lower-case `keyvaultproperties`). */
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

/** A resource of another service, kept as it was written: a disk encryption set, a SQL server. */
export interface OtherResource {
  readonly id: string;
  /** As Azure spells it: `Microsoft.Compute/diskEncryptionSets`. */
  readonly type: string;
  location: string;
  tags?: Record<string, string>;
  properties: Record<string, unknown>;
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
  /** When it ends; absent: never. */
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
  /** Of a custom role. */
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
  /** While it is not yet `Succeeded`. */
  provisioningState?: string;
}

/** A topic that applications publish to: it has its event subscriptions, and takes no events here. */
export interface CustomTopic {
  readonly id: string;
  readonly name: string;
  location: string;
  tags: Record<string, string>;
  sku: Record<string, unknown>;
  identity: IdentityBlock;
  /** What was asked for under `properties`. */
  properties: Record<string, unknown>;
  readonly metricResourceId: string;
  /** While it is not yet `Succeeded`. */
  provisioningState?: string;
}

export interface EventSubscription {
  readonly id: string;
  readonly name: string;
  /** ARM id of the vault whose events it wants. */
  readonly topic: string;
  /** Everything under `properties` as ARM shows it. */
  properties: Record<string, unknown>;
}

/** What hangs on a resource by its provider: a diagnostic setting, a lock, a federated credential of an identity. */
export interface ExtensionResource {
  readonly id: string;
  readonly type: string;
  readonly scope: string;
  /** Everything under `properties`, as it was put. */
  readonly properties: Record<string, unknown>;
}

export interface Workspace {
  readonly id: string;
  /** What queries name it by. */
  readonly customerId: string;
}

/** An entry of a vault's audit log (category AuditEvent), or a row of them, one an hour. */
export interface VaultLogEntry {
  readonly id: string;
  readonly vaultId: string;
  /** ARM id of the workspace that it went to, lower case. */
  readonly workspace: string;
  readonly table: 'AzureDiagnostics' | 'AZKVAuditLogs';
  /** `KeyWrap`, `KeyList` … */
  readonly operation: string;
  readonly keyName: string | undefined;
  readonly version: string | undefined;
  readonly objectId: string | undefined;
  readonly appId: string | undefined;
  readonly status: number;
  /** Epoch milliseconds, of the first and the last of the row. */
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

/** Someone who can sign in at the local Entra ID. */
export interface Principal {
  readonly displayName: string;
  readonly clientId: string;
  readonly objectId: string;
  readonly secret: string;
  readonly kind: 'application' | 'user' | 'managedIdentity';
  /** App roles on the app's API. */
  readonly appRoles: string[];
}

/** A write, deletion or action that Resource Manager carried out. */
export interface ResourceEvent {
  readonly subscriptionId: string;
  readonly kind: 'Write' | 'Delete' | 'Action';
  /** What the request was sent to; of an action the resource that it is about. */
  readonly resourceId: string;
  /** `Microsoft.Storage/storageAccounts/write` */
  readonly operation: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly correlationId: string;
  /** Absent: it made the resource. */
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
