import { expect, it } from 'vitest';
import type { Subject } from '../../src/drift/changes/focus.ts';
import { checkFocus } from '../../src/drift/changes/gather-focus.ts';
import { createRules } from '../../src/drift/gather/rules.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

it('a change at a vault has its roles read again, however recently they were read', async () => {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const vault = services.settings.vaults.byName('kv-files');
  if (!vault) throw new Error('The vault is not managed.');

  const rolesReadBy = async (run: () => Promise<unknown>): Promise<number> => {
    const since = wire.azure.requests.last;
    await run();
    return wire.arm(since, /roleDefinitions/).length;
  };

  const list = () => services.authorization.grantsAt(vault.id);
  expect(await rolesReadBy(list)).toBeGreaterThan(0);
  expect(await rolesReadBy(list)).toBe(0);

  const account = [...wire.azure.world.storageAccounts.values()].find(({ name }) => name === 'stfiles01');
  const subjects = new Map<string, Subject>([
    ['vault', { kind: 'vault', vault, used: true }],
    ['account', { kind: 'account', id: account?.id ?? '', changed: false }],
  ]);
  const focus = { subjects, resourcesOf: new Map() };
  const check = () => checkFocus(focus, createRules(services.settings, services.now()), services);

  expect(await rolesReadBy(check)).toBeGreaterThan(0);
});
