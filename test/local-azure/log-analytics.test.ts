import { expect, it } from 'vitest';
import { WORKSPACE_ID } from '../../local/azure/constants.ts';
import { describeFailure, describe as say } from '../../src/azure/failure.ts';
import { sampleServices } from '../support/app-services.ts';
import { TestKey } from '../support/fleet.ts';
import { keyStatus } from '../support/key-calls.ts';
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

it('refuses who has no right on the workspace, another query, and a workspace that there is not', async () => {
  expect((await ask('AzureActivity', 'outsider')).status).toBe(403);
  const other = await ask('AzureActivity | take 1');
  expect([other.status, await other.json()]).toMatchObject([400, { error: { code: 'BadArgumentError' } }]);
  expect((await ask('x', 'owner', '10600000-0000-4000-8000-000000000002')).status).toBe(404);
});

it('has what Storage and people did, with who and when, once the delay has gone by', async () => {
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
  expect(used.trackedUntil?.getTime()).toBeLessThanOrEqual(local.azure.clock.nowMs() - 300_000);
  const since = used.uses[0]?.lastOn.getTime() ?? 0;
  expect(since).toBeGreaterThan(local.azure.clock.nowMs() - 2 * HOUR_MS);
});

it('is shown in the status of a key, and why it is not when it cannot be read', async () => {
  const key = new TestKey(local.azure.world);
  key.account('pinned');
  local.azure.clock.advance(2 * HOUR_MS);
  const services = sampleServices({ CMK_USAGE_WORKSPACE: WORKSPACE_ID });
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');
  const status = await keyStatus(managed, services);
  expect(status.usage).toMatchObject({
    trackedSince: expect.any(String),
    versions: [{ version: key.first.version, unwrapped: { on: expect.any(String), objectId: expect.any(String) } }],
  });
  expect(status.usage).not.toHaveProperty('gaps');
  // As if somebody had switched the log off for five hours, twice.
  for (let times = 0; times < 2; times += 1) {
    local.azure.clock.advance(5 * HOUR_MS);
    for (const account of local.azure.world.storageAccounts.values()) account.loggedUntilMs = local.azure.clock.nowMs();
    local.azure.clock.advance(2 * HOUR_MS);
    await services.usageLog.read(managed);
  }
  const { gaps = [] } = (await keyStatus(managed, services)).usage ?? {};
  expect(gaps).toHaveLength(2);
  for (const { from, to } of gaps) expect(Date.parse(to) - Date.parse(from)).toBeGreaterThanOrEqual(5 * HOUR_MS);
  expect(Date.parse(gaps[0]?.from ?? '')).toBeGreaterThan(Date.parse(gaps[1]?.to ?? ''));
  local.azure.faults.add([{ match: { host: 'api.loganalytics.io' }, answer: { status: 503 } }]);
  const without = await keyStatus(managed, services);
  expect(without.usage).toMatchObject({ versions: [], unread: expect.stringContaining('503') });
  local.azure.faults.clear();
  const error = await services.usageLog.read({ ...managed, name: 'no"name' }).catch((thrown: unknown) => thrown);
  expect(say(describeFailure(error))).toContain('name of the vault or the key is invalid');
});
