import { describe, expect, it, vi } from 'vitest';
import { type WatchPorts, watchHsms } from '../../src/events/watch-hsms.ts';
import { ManagedVaults, parseManagedVault } from '../../src/keys/managed-vaults.ts';
import { ON_ANY_MACHINE } from '../support/eventually.ts';
import { keyVersion, PUBLIC, VAULT_ID } from '../support/keys.ts';

const hsm = (name: string) => {
  const vault = parseManagedVault(VAULT_ID.replace('vaults/kv-files', `managedHSMs/${name}`), PUBLIC);
  if (!vault) throw new Error('The sample id does not parse.');
  return vault;
};

/** Of the Managed HSM `hsm-a` nothing is answered. */
function answer<T>(name: string, value: T): Promise<T> {
  return name === 'hsm-a' ? new Promise(() => {}) : Promise.resolve(value);
}

function watching(ports: Partial<WatchPorts>) {
  const sent: string[] = [];
  const all: WatchPorts = {
    settings: { vaults: new ManagedVaults([hsm('hsm-a'), hsm('hsm-b')]) },
    keyCatalog: { names: async () => Array.from({ length: 20 }, (_, n) => `key-${n}`) },
    keys: { listVersions: async () => [keyVersion(1)] },
    seenKeys: { all: async () => new Map(), put: async () => {} },
    requestKey: async (key) => {
      sent.push(key);
    },
    now: () => new Date(),
    ...ports,
  };

  const looking = watchHsms('look', all, () => {}, AbortSignal.timeout(60_000));

  return { sent, looking };
}

describe('a Managed HSM that does not respond', () => {
  it.each<[string, Partial<WatchPorts>]>([
    ['a list of versions', { keys: { listVersions: ({ vault }) => answer(vault.name, [keyVersion(1)]) } }],
    ['a list of keys', { keyCatalog: { names: ({ name }) => answer(name, ['key-0']) } }],
  ])('A Managed HSM that does not respond to %s delays no key of another Managed HSM', async (_, ports) => {
    const { sent } = watching(ports);
    await vi.waitFor(() => expect(sent).toContain('https://hsm-b.managedhsm.azure.net/keys/key-0'), ON_ANY_MACHINE);
  });
});
