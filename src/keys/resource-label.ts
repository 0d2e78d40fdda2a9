import { parseKeyIdentifier, parseVault } from './key-identifier.ts';

/** Short names of a cause's resources; empty if the cause has none. */
export function formatCauseLabel({ about }: { readonly about: readonly string[] }): string {
  return about.map(shortenResource).join(' on ');
}

/** Short name of a resource or key: `kv-files/files-key`, `stfiles01/scope1`, `id-storage`. */
export function shortenResource(id: string): string {
  const key = parseKeyIdentifier(id);
  if (key) return `${key.vaultName}/${key.keyName}${key.version ? `/${key.version.slice(0, 8)}` : ''}`;
  const vault = parseVault(id);
  if (vault) return vault.vaultName;
  const [last = '', type, parent] = id.split('/').reverse();
  if (type?.toLowerCase() === 'encryptionscopes') return `${parent}/${last}`;
  return type?.toLowerCase() === 'subscriptions' ? `subscription ${last}` : last;
}
