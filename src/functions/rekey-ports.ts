import type { ManagedKey } from '../keys/managed-vaults.ts';
import { checkRekey } from '../rekey/check-rekey.ts';
import type { Services } from '../services.ts';

/** The use-case's own ports: Key Vault's vaults are asked by Azure Resource Manager, the managed ones are settings. */
export function rekeyPorts(services: Services) {
  const { settings, subscriptions } = services;
  const searched = async () => settings.subscriptions ?? (await subscriptions.list());
  return {
    ...services,
    vaults: settings.vaults,
    check: (from: ManagedKey, to: ManagedKey) => checkRekey(from, to, { ...services, searched }),
  };
}
