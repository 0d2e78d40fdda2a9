import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Services } from '../services.ts';
import type { KeyStatus } from './key-status.ts';
export async function readEffect(
  _key: ManagedKey,
  _services: Services,
): Promise<{ accounts: KeyStatus['effect']; warnings: string[] }> {
  return { accounts: [], warnings: [] };
}
