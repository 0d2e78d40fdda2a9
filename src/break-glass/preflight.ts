import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Services } from '../services.ts';
import type { RestoreResponse } from './handle-restore.ts';
export async function preflight(
  _key: ManagedKey,
  _services: Services,
): Promise<{ accounts: RestoreResponse['accounts']; warnings: string[] }> {
  return { accounts: [], warnings: [] };
}
