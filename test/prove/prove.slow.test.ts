import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { type Child, startChild } from '../support/child.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { Procedures } from '../support/procedures.ts';

const MAIN = fileURLToPath(new URL('../../scripts/prove.ts', import.meta.url));
const local = useLocalAzure({ fleet: 'empty' });

/** Starts the script as a process of its own, signed in as an owner. */
function startProve(...args: string[]): Child {
  const { azure } = local;
  new Procedures(local).group();
  const owner = azure.world.principals.get(CLIENT_IDS.owner);
  if (!owner) throw new Error('The local tenant has no owner.');

  return startChild(MAIN, ['--subscription', SUBSCRIPTION_ID, ...args], {
    ...azure.env,
    NODE_NO_WARNINGS: '1',
    AZURE_TENANT_ID: azure.world.tenantId,
    AZURE_CLIENT_ID: owner.clientId,
    AZURE_CLIENT_SECRET: owner.secret,
  });
}

function countResources(): number {
  const { storageAccounts, vaults, identities } = local.azure.world;
  return storageAccounts.size + vaults.size + identities.size;
}

it('npm run prove ends with all steps passed and exit code 0 against the local Azure', async () => {
  const child = startProve();

  expect(await child.exit).toBe(0);
  expect(child.output()).toMatch(/\n20 passed, 0 failed\n$/);
  expect(countResources()).toBe(0);
});

it('npm run prove deletes what it made after SIGINT, and exits with the code of the signal', async () => {
  const child = startProve();

  await child.says(/create two keys/);
  child.process.kill('SIGINT');

  expect(await child.exit).toBe(130);
  expect(child.output()).toMatch(/Interrupted: deleting what was made\.[\s\S]*\d passed, 0 failed\n$/);
  expect(countResources()).toBe(0);
});

it('npm run prove --delete removes what a killed run left', async () => {
  const killed = startProve();
  const [, id = ''] = await killed.says(/^Run (\w+)\./);

  await killed.says(/create two keys/);
  killed.process.kill('SIGKILL');
  await killed.exit;
  expect(countResources()).toBeGreaterThan(0);

  const child = startProve('--delete', id);

  expect(await child.exit).toBe(0);
  expect(countResources()).toBe(0);
});
