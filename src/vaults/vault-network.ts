import type { VaultNetwork } from './vault-client.ts';

/**
 * What of a vault's network keeps Storage from its keys: it reads them as one of the trusted services, which network rules may
 * let by (Azure Storage, "Customer-managed keys overview").
 */
interface NetworkHindrance {
  readonly is: string;
  /** False: whether it keeps an account out is not seen in the vault. */
  readonly certain: boolean;
}

/** Undefined: Storage reaches the keys. */
export function storageHindrance(network: VaultNetwork): NetworkHindrance | undefined {
  if (network.publicAccess === 'byPerimeter') {
    const is =
      'A network security perimeter guards it, which lets in no trusted service by itself: only accounts in the same perimeter reach its keys, and whether they are is not seen here.';
    return { is, certain: false };
  }
  if (network.allowsTrustedServices || (network.allowsOthers && network.publicAccess === 'enabled')) return undefined;
  const closed =
    network.publicAccess === 'disabled' ? 'Its public network access is off' : 'Its network rules deny others';
  return { is: `${closed}, and trusted services are not let by: Storage does not reach its keys.`, certain: true };
}
