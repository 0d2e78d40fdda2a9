import type { Encryption } from '@azure/arm-storage';
import type { ResourceId } from '../azure/resource-id.ts';

/** A storage account as far as its encryption goes; it is its own ARM id, parsed. */
export interface Account extends ResourceId {
  /** Region, as ARM writes it (`westeurope`). */
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  /** ARM ids of the user-assigned identities attached to the account. */
  readonly userAssignedIdentities: readonly string[];
  /** Principal ids of the user-assigned identities, by ARM id in lower case; one that ARM does not tell is left out. */
  readonly principalIds: Readonly<Record<string, string>>;
  /** Principal id of the system-assigned identity, if it has one. */
  readonly systemPrincipalId: string | undefined;
  /** The encryption object exactly as read: a change writes it back whole, altered in the key fields alone. */
  readonly encryption: Encryption;
}

/** An encryption scope that uses a key of Key Vault. */
export interface Scope {
  readonly name: string;
  readonly enabled: boolean;
  /** Key identifier, with a version (pinned) or without (automatic). */
  readonly keyUri: string;
  /** Identifier of the version in use. */
  readonly currentKeyId: string | undefined;
}
