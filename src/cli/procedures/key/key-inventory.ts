import pMap from 'p-map';
import { describeAnswerOf, describeFailure } from '../../../azure/failure.ts';
import { CONCURRENCY } from '../../../azure/limits.ts';
import type { InventoryKey } from '../../../evidence/key-inventory.ts';
import type { KeyKind } from '../../../keys/key-client.ts';
import type { KeyVersion } from '../../../keys/key-versions.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import type { Azure } from '../operator-azure.ts';

/**
 * Reads the versions of keys with type and size from Key Vault, with the operator's sign-in: the app's answers have
 * neither. Never throws.
 *
 * @returns the keys, and the failed reads, one sentence each
 */
export async function readInventory(
  keys: readonly ManagedKey[],
  { keys: client, keyAdmin }: Pick<Azure, 'keys' | 'keyAdmin'>,
): Promise<{ readonly inventory: readonly InventoryKey[]; readonly unread: readonly string[] }> {
  const unread: string[] = [];

  const readOr = async <T>(what: string, read: () => Promise<T>, missing: T): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      unread.push(`${what}: ${describeAnswerOf(describeFailure(error))}`);
      return missing;
    }
  };

  const inventory: InventoryKey[] = [];

  for (const key of keys) {
    const name = `${key.vault.name}/${key.name}`;
    const versions = await readOr<readonly KeyVersion[]>(name, () => client.listVersions(key), []);
    const kinds = new Map<string, KeyKind>();

    await pMap(
      versions,
      async ({ version }) => {
        const read = () => keyAdmin.material(key, version);
        const kind = await readOr(`${name}/${version}`, read, undefined);
        if (kind) kinds.set(version, kind);
      },
      { concurrency: CONCURRENCY },
    );

    inventory.push({ name, versions, kinds });
  }

  return { inventory, unread };
}
