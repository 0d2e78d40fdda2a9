import type { ResourceId } from '../azure/resource-id.ts';

/** The key that an account is encrypted with, as Storage writes it. */
export interface KeyProperties {
  readonly keyName?: string;
  /** Absent and "": automatic. */
  readonly keyVersion?: string;
  readonly keyVaultUri?: string;
  /** Identifier of the version in use; Storage sets it. */
  readonly currentVersionedKeyIdentifier?: string;
  /** When the account's key was last wrapped with a new version; Storage sets it. */
  readonly lastKeyRotationTimestamp?: Date;
}

/** An account's encryption settings, as Storage writes them; a PATCH sends them all back. */
export interface AccountEncryption {
  /** `Microsoft.Storage` or `Microsoft.Keyvault`, in any letter case. */
  readonly keySource?: string;
  readonly keyVaultProperties?: KeyProperties;
  readonly encryptionIdentity?: {
    readonly encryptionUserAssignedIdentity?: string;
    readonly encryptionFederatedIdentityClientId?: string;
  };
  readonly requireInfrastructureEncryption?: boolean;
  /** A queue or table service that is not here has a key of its own, as one with the `keyType` `Service` does. */
  readonly services?: {
    readonly [Service in 'blob' | 'file' | 'queue' | 'table']?: {
      readonly enabled?: boolean;
      readonly keyType?: string;
    };
  };
}

/** A storage account as far as its encryption goes; it is its own ARM id, parsed. */
export interface Account extends ResourceId {
  /** Region, as ARM writes it (`westeurope`). */
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  /** ARM ids of the user-assigned identities attached to the account. */
  readonly userAssignedIdentities: readonly string[];
  /** Principal ids of the user-assigned identities, by ARM id in lower case, as far as ARM shows them. */
  readonly principalIds: Readonly<Record<string, string>>;
  /** Principal id of the system-assigned identity, if it has one. */
  readonly systemPrincipalId: string | undefined;
  /** `blob`, `file`, `queue`, `table`, `dfs`, `web`: the services that it has endpoints of; absent: Azure does not show them. */
  readonly endpoints?: readonly string[];
  /** The encryption object exactly as read: a change writes it back whole, altered in the key fields alone. */
  readonly encryption: AccountEncryption;
}

/** Services that may have a key of their own; which key is fixed when the account is created. */
export type OwnKeyService = 'queue' | 'table';

/**
 * The services of an account that are under a key of their own, by Microsoft, and not under the account's: a revocation
 * leaves their data readable ("Create an account that supports customer-managed keys for tables and queues").
 */
export function ownKeyServices({ endpoints = [], encryption }: Account): OwnKeyService[] {
  return (['queue', 'table'] as const).filter(
    (service) => endpoints.includes(service) && encryption.services?.[service]?.keyType?.toLowerCase() !== 'account',
  );
}

/** An encryption scope on a key of Microsoft. */
export interface PlatformScope {
  readonly name: string;
  readonly enabled: boolean;
  readonly keyUri: undefined;
}

/** An encryption scope that uses a key of Key Vault. */
export interface Scope {
  readonly name: string;
  readonly enabled: boolean;
  /** Key identifier, with a version (pinned) or without (automatic). */
  readonly keyUri: string;
  /** Identifier of the version in use. */
  readonly currentKeyId: string | undefined;
  /** When its key was last wrapped with a new version; Storage does not say so of one that is pinned. */
  readonly rotatedOn?: Date | undefined;
  /** When anything of it was changed last, its state included. */
  readonly changedOn?: Date | undefined;
}
