import type { OwnKeyService } from '../fleet/account.ts';
import type { Reason } from '../reasons.ts';
import type { FileShare } from './stored-data-client.ts';

/** Held at a version, or following the newest one by itself. */
export type KeyMode = 'pinned' | 'automatic';

/** A storage account that stops serving data when the key is revoked. */
export interface DependentAccount {
  /** ARM id. */
  readonly id: string;
  readonly name: string;
  readonly region: string;
  /** `scopesOnly`: the account itself uses another key, and some of its encryption scopes use this one. */
  readonly mode: KeyMode | 'scopesOnly';
  /** The version in use; undefined when Azure does not say, and for `scopesOnly`. */
  readonly version: string | undefined;
  /** Its file shares. Empty for `scopesOnly`: encryption scopes hold blobs, and the shares go on. */
  readonly shares: readonly FileShare[];
  readonly scopes: readonly DependentScope[];
  /** Its services that a revocation does not cut off. Empty for `scopesOnly`, whose services all go on. */
  readonly notCutOff: readonly OwnKeyService[];
}

export interface DependentScope {
  readonly name: string;
  readonly enabled: boolean;
  readonly mode: KeyMode;
  readonly version: string | undefined;
}

/** Another resource that uses the key, as Resource Graph shows it. */
export interface OtherDependent {
  /** ARM id. */
  readonly id: string;
  readonly name: string;
  /** Lower case. */
  readonly type: string;
  readonly region: string;
  readonly subscriptionId: string;
  /** Where it names the key: at least one. */
  readonly uses: readonly NamedKey[];
  /** Whether it is a type, and a place, that the app knows to be encryption with the key; otherwise it only names it. */
  readonly known: boolean;
  /** How it stops when the key is revoked and how it comes back, in sentences; absent: what it uses the key for is not known. */
  readonly whenRevoked?: string;
}

export interface NamedKey {
  /** Path under `properties`. */
  readonly path: string;
  /** The version named there; undefined when it names none. */
  readonly version: string | undefined;
}

export interface Unread {
  /** What it is, in words: `storage accounts of subscription …`. */
  readonly what: string;
  readonly reason: Reason;
  readonly detail: string;
}
