import type { ResourceId } from '../azure/resource-id.ts';
import type { Encryption } from '../azure/resource-manager.ts';

/** An account's encryption settings, as Azure Storage returns them. A PATCH sends all of them. */
export type AccountEncryption = Encryption;

/** A storage account's encryption settings, with its parsed ARM id. */
export interface Account extends ResourceId {
  /** Region name in ARM's format (`westeurope`). */
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  /** ARM ids of the user-assigned identities attached to the account. */
  readonly userAssignedIdentities: readonly string[];
  /** Principal ids that ARM returns for the user-assigned identities, by ARM id in lower case. */
  readonly principalIds: Readonly<Record<string, string>>;
  /** Principal id of the system-assigned identity; undefined if the account has none. */
  readonly systemPrincipalId: string | undefined;
  /** Services with an endpoint: `blob`, `file`, `queue`, `table`, `dfs`, `web`; absent if Azure omits the list. */
  readonly endpoints?: readonly string[];
  readonly encryption: AccountEncryption;
}

/** Services that can have their own key; Azure fixes the choice when it creates the account. */
export type OwnKeyService = 'queue' | 'table';

/**
 * Returns the services of an account that Microsoft-managed keys encrypt. A revocation does not block access to
 * their data ("Create an account that supports customer-managed keys for tables and queues").
 */
export function listOwnKeyServices({ endpoints = [], encryption }: Account): OwnKeyService[] {
  return (['queue', 'table'] as const).filter(
    (service) => endpoints.includes(service) && encryption.services?.[service]?.keyType?.toLowerCase() !== 'account',
  );
}

/** An encryption scope with a Microsoft-managed key. */
export interface PlatformScope {
  readonly name: string;
  readonly enabled: boolean;
  readonly keyUri: undefined;
}

/** An encryption scope with a customer-managed key in Key Vault. */
export interface Scope {
  readonly name: string;
  readonly enabled: boolean;
  /** Key identifier, with a version (pinned) or without (automatic). */
  readonly keyUri: string;
  /** Identifier of the version in use. */
  readonly currentKeyId: string | undefined;
  /** When Storage last wrapped its key with a new version; Storage omits this for a pinned scope. */
  readonly rotatedOn?: Date | undefined;
  /** When any property of the scope last changed, including its state. */
  readonly changedOn?: Date | undefined;
}
