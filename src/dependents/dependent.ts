import type { OwnKeyService } from '../fleet/account.ts';
import type { Reason } from '../reasons.ts';
import type { FileShare } from './stored-data-client.ts';

/** Pinned to a version, or automatically on the newest version. */
export type KeyMode = 'pinned' | 'automatic';

/** A storage account that stops serving data when the key is revoked. */
export interface DependentAccount {
  /** ARM id. */
  readonly id: string;
  readonly name: string;
  readonly region: string;
  /** `scopesOnly`: only encryption scopes use this key. The account itself uses another key. */
  readonly mode: KeyMode | 'scopesOnly';
  /** The version in use; undefined if Azure does not return it, and for `scopesOnly`. */
  readonly version: string | undefined;
  /** The account's file shares. Empty for `scopesOnly`: encryption scopes contain only blobs. */
  readonly shares: readonly FileShare[];
  readonly scopes: readonly DependentScope[];
  /** Services that a revocation does not block. Empty for `scopesOnly`, because no service is blocked. */
  readonly notCutOff: readonly OwnKeyService[];
}

export interface DependentScope {
  readonly name: string;
  readonly enabled: boolean;
  readonly mode: KeyMode;
  readonly version: string | undefined;
}

/** Another resource that uses the key according to Resource Graph. */
export interface OtherDependent {
  /** ARM id. */
  readonly id: string;
  readonly name: string;
  /** Lower case. */
  readonly type: string;
  readonly region: string;
  readonly subscriptionId: string;
  /** Properties that name the key; at least one. */
  readonly uses: readonly NamedKey[];
  /** Whether the app knows that this property encrypts data of this type. False: the resource only names the key. */
  readonly known: boolean;
  /** Effect of a revocation and of a restore, in sentences. Absent if the app does not know the use of the key. */
  readonly whenRevoked?: string;
}

export interface NamedKey {
  /** Path under `properties`. */
  readonly path: string;
  /** The named version; undefined if the property names none. */
  readonly version: string | undefined;
}

export interface Unread {
  /** Description of the part: `storage accounts of subscription …`. */
  readonly what: string;
  readonly reason: Reason;
  readonly detail: string;
}
