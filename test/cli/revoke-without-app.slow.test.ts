import { expect, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { addRoleAssignment } from '../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { Principal } from '../../local/azure/world.ts';
import type { RunningApp } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { cmk } from '../support/cmk.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

let app: RunningApp | undefined;
const wire = useWire({ functionsHost: () => app?.url });
const startApp = useApps(wire);

/** An application with a role of the API, and the right to manage the keys of a vault. */
function operator(key: TestKey): Principal {
  const application = wire.azure.world.principals.get(CLIENT_IDS.robot);
  if (!application) throw new Error('The local tenant has no robot.');
  const role = BUILT_IN_ROLES['Key Vault Crypto Officer'];
  addRoleAssignment(wire.azure.world, { scope: key.vault.id, principalId: application.objectId, role, settled: true });
  return application;
}

it('a key is revoked with the app down, and the app, once up, adopts that revocation', async () => {
  const key = new TestKey(wire.azure.world);
  const off = key.add({ enabled: false });
  const newest = key.add();
  const as = operator(key);
  const env = { AzureWebJobsStorage: wire.connectionString };
  const target = ['--vault', key.vault.name, '--reason', 'A laptop was stolen', '--ticket', 'INC-1'];

  const unconfirmed = await cmk(wire.azure, ['key', 'revoke', key.name, ...target, '--reason', 'A test'], { as, env });
  expect(unconfirmed).toMatchObject({ code: 2, output: expect.stringContaining('Add --yes.') });
  expect(newest.enabled).toBe(true);

  const revoked = await cmk(
    wire.azure,
    ['key', 'revoke', key.name, ...target, '--reason', 'A test', '--yes', '--json'],
    { as, env },
  );

  expect(revoked.code).toBe(0);

  const { result } = JSON.parse(revoked.output);
  expect(result).toMatchObject({ complete: true, audit: 'written', revocation: { revokedBy: as.objectId } });
  expect([key.first, off, newest].map(({ enabled }) => enabled)).toEqual([false, false, false]);

  app = await startApp({ CMK_RESTORE_APPLICATIONS: as.clientId });

  const path = `/keys/${key.vault.name}/${key.name}`;
  const status = await app.call(path, { as: 'operator' });

  expect(status).toMatchObject({ status: 200, body: { revocation: result.revocation } });

  const body = { reason: 'The laptop is back', revocation: result.revocation.id };
  const same = await app.call(`${path}/restore`, { method: 'POST', as: 'robot', body });

  expect(same).toMatchObject({ status: 403, body: { reason: 'SecondPersonNeeded' } });

  const second = await app.call(`${path}/restore`, { method: 'POST', as: 'restorer', body });
  expect(second).toMatchObject({ status: 200, body: { complete: true, revocation: { id: result.revocation.id } } });
  expect([key.first, off, newest].map(({ enabled }) => enabled)).toEqual([true, false, true]);

  const trail = await cmk(wire.azure, ['audit', 'verify'], { env });
  expect(trail).toMatchObject({ code: 0, output: expect.stringContaining('nothing found') });
});

it('a key is revoked with Azure Resource Manager and the storage of the app unreachable', async () => {
  const key = new TestKey(wire.azure.world);

  wire.azure.faults.add([{ match: { host: 'management.azure.com' }, hang: true }]);

  const env = { AzureWebJobsStorage__accountName: 'stnowhere' };
  const identifier = `https://${key.vault.name}.vault.azure.net/keys/${key.name}`;
  const { code, output } = await cmk(wire.azure, ['key', 'revoke', identifier, '--reason', 'A test', '--yes'], {
    as: operator(key),
    env,
  });

  wire.azure.faults.clear();

  expect(code).toBe(0);
  expect(key.first.enabled).toBe(false);
  expect(output).toMatch(/note\tNot in the audit trail: /);
  expect(output).toMatch(/note\tThe list may be incomplete: /);
});
