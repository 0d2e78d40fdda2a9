import { readEffect } from '../effect/effect-of-key.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Services } from '../services.ts';
import { type KeyStatusPorts, type KeyViewPorts, readKeyStatus } from '../views/key.ts';
import type { KeyStatus } from '../views/key-schemas.ts';
import { listOrRefuse, noSuchKey } from './key-of-route.ts';

/**
 * The answer waits so long for what depends on the key: the caller may be in the middle of an incident, and what is not read
 * by then is named. Milliseconds.
 */
const BESIDE_MS = 8_000;

type StatusServices = Parameters<typeof readEffect>[2] &
  Omit<KeyStatusPorts, 'app' | 'effect'> &
  KeyViewPorts &
  Pick<Services, 'settings' | 'urgentKeys' | 'sleep'>;

/** @throws {@link HttpProblem} 404, or 502 when Key Vault cannot be read */
export async function keyStatus(key: ManagedKey, services: StatusServices): Promise<KeyStatus> {
  const versions = await listOrRefuse(key, services);
  if (versions.length === 0) throw noSuchKey();
  const open = openRevocation(versions, services.now());
  const effect = async (): Promise<Pick<KeyStatus, 'effect' | 'effectTimes' | 'warnings'>> => {
    const { accounts, times, warnings } = await readEffect(key, open, services);
    return { effect: accounts.map((account) => ({ ...account })), effectTimes: times, warnings };
  };
  const limits = { workspace: services.settings.drift.usageWorkspace, ms: BESIDE_MS };
  return readKeyStatus(key, versions, limits, { ...services, app: services, effect });
}
