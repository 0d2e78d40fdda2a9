import { expect, it } from 'vitest';
import { WORKSPACE_ID } from '../../local/azure/constants.ts';
import { sampleServices } from '../support/app-services.ts';
import { TestKey } from '../support/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { signIn } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
const HOUR_MS = 3_600_000;

function ask(query: string, as: Parameters<typeof signIn>[1] = 'owner', workspace = WORKSPACE_ID) {
  const { token } = local.azure.tokens.issue(signIn(local.azure, as), 'https://api.loganalytics.io');
  return fetch(`https://api.loganalytics.io/v1/workspaces/${workspace}/query`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, timespan: 'P1D' }),
  });
}

it('Log Analytics rejects a caller without a right, a query that it does not serve, and an unknown workspace', async () => {
  expect((await ask('AzureActivity', 'outsider')).status).toBe(403);
  const other = await ask('AzureActivity | take 1');
  expect([other.status, await other.json()]).toMatchObject([400, { error: { code: 'BadArgumentError' } }]);
  expect((await ask('x', 'owner', '10600000-0000-4000-8000-000000000002')).status).toBe(404);
});

it('The usage log shows an unwrap by Storage, with its caller and time, after the ingestion delay', async () => {
  const services = sampleServices({ CMK_USAGE_WORKSPACE: WORKSPACE_ID });
  const key = new TestKey(local.azure.world);
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');

  expect((await services.usageLog.read(managed)).uses).toEqual([]);

  key.account('pinned');
  local.azure.clock.advance(2.5 * HOUR_MS);

  const used = await services.usageLog.read(managed);
  const identity = [...local.azure.world.identities.values()].find(({ name }) => name === 'id-storage');

  expect(used.uses).toEqual([
    {
      version: key.first.version,
      operation: 'unwrap',
      lastOn: expect.any(Date),
      objectId: identity?.principalId,
      appId: identity?.clientId,
    },
  ]);

  expect(used.lastOfClients).toEqual(used.uses);
  expect(used.trackedUntil?.getTime()).toBeLessThanOrEqual(local.azure.clock.nowMs() - 300_000);

  const since = used.uses[0]?.lastOn.getTime() ?? 0;
  expect(since).toBeGreaterThan(local.azure.clock.nowMs() - 2 * HOUR_MS);
});
