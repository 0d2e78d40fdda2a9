import { expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { inUse, TestKey } from '../support/fleet.ts';

// Two instances over the same queues, and operators who call them by HTTP. No drift check repairs anything here.
const app = useApp({ instances: 2, env: { CMK_CANARY: '1' } });

async function call(path: string, body?: object, signIn: 'operator' | 'revoker' = 'operator') {
  const response = await app.call(signIn, body ? 'POST' : 'GET', path, body);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const rotationOf = async (of: TestKey) => (await call(`/rotations/${of.vault.name}/${of.name}`)).body;
const onVersion = (accounts: readonly StorageAccount[], version: string) =>
  accounts.filter((account) => inUse(account) === version).length;
const said = (of: TestKey, reason: string) =>
  app.records().filter((record) => record.reason === reason && JSON.stringify(record).includes(of.name));

it('a rotation is held when its canary fails, and resumes when an operator orders it', async () => {
  const files = new TestKey(app.azure.world);
  const accounts = Array.from({ length: 4 }, () => files.account()).sort((a, b) => (a.name < b.name ? -1 : 1));
  const [canary, ...others] = accounts;

  await app.found();

  const refusal = {
    match: { method: 'PATCH', path: `storageAccounts/${canary?.name}\\?` },
    answer: { status: 403, body: { error: { code: 'KeyVaultAuthenticationFailure', message: 'no access' } } },
  };

  app.azure.faults.add([refusal]);

  const next = files.rotate();

  // It is logged before it is stored.
  await eventually('it is held', async () => (await rotationOf(files)).state === 'held');

  expect(said(files, 'CanaryFailed')).not.toEqual([]);
  expect(onVersion(accounts, next.version)).toBe(0);

  expect(await rotationOf(files)).toMatchObject({
    state: 'held',
    reason: 'CanaryFailed',
    version: next.version,
    moved: 0,
    waiting: 3,
    failed: 1,
    failures: { IdentityHasNoAccess: 1 },
    stage: { name: 'canary', state: 'failed' },
    failedUses: [{ account: canary?.id, reason: 'IdentityHasNoAccess' }],
  });

  expect((await call('/rotations')).body.value).toContainEqual(
    expect.objectContaining({ key: files.id(), state: 'held' }),
  );

  const order = { reason: 'it is known, and repaired tomorrow', key: `${files.vault.name}/${files.name}` };
  expect(await call('/resume', order)).toMatchObject({ status: 200, body: { audit: 'written', warnings: [] } });

  await app.inTime('the others are moved', () => onVersion(others, next.version) === 3);
  app.azure.faults.clear();
  await app.inTime('the canary is moved', () => onVersion(accounts, next.version) === 4);
  await app.inTime('it is recorded', () => said(files, 'RotationFinished').length > 0);

  expect(await rotationOf(files)).toMatchObject({ state: 'finished', moved: 4, waiting: 0, failed: 0 });
});

it('while moves are paused no account moves, and after the resume every account moves', async () => {
  const files = new TestKey(app.azure.world);
  const accounts = [files.account(), files.account(), files.account('automatic')];

  await app.found();

  const before = files.rotate();

  await app.inTime('all are moved', () => onVersion(accounts, before.version) === 3);
  await app.inTime('it is finished', async () => (await rotationOf(files)).state === 'finished');

  const until = new Date(app.azure.clock.now().getTime() + 3_600_000).toISOString();
  const paused = await call('/pause', { reason: 'a change window', ticket: 'CHG-1', until });

  expect(paused).toMatchObject({
    status: 200,
    body: { audit: 'written', pauses: [{ reason: 'a change window', until }] },
  });

  // Each instance shows for some seconds what it has read before.
  const isShown = async () => JSON.stringify(await rotationOf(files)).includes('a change window');

  await eventually('both instances show it', async () => (await isShown()) && (await isShown()));

  const { value } = await eventually('the list has it', async () => {
    const { body } = await call('/rotations');
    return (body.pauses as object[]).length === 1 && { value: body.pauses };
  });
  expect(value).toMatchObject([{ reason: 'a change window', until }]);

  const since = app.azure.requests.last;
  const next = files.rotate();

  await eventually('the key waits', () => said(files, 'Paused').length > 0);
  await app.atRest();
  await app.advance(120_000);

  expect(await rotationOf(files)).toMatchObject({ state: 'paused', moved: 0, waiting: 3, reason: 'Paused' });

  const asked = app.arm(since, new RegExp(accounts.map(({ name }) => name).join('|')));
  expect(asked.filter(({ method }) => method !== 'GET')).toEqual([]);

  const status = await call(`/keys/${files.vault.name}/${files.name}`, undefined, 'revoker');
  expect(status.body.paused).toMatchObject({ reason: 'a change window' });

  // Break-glass is not paused.
  const confirm = { reason: 'a drill', confirm: `${files.vault.name}/${files.name}` };
  expect(await call(`/keys/${files.vault.name}/${files.name}/revoke?dryRun=true`, confirm)).toMatchObject({
    status: 200,
  });

  expect(await call('/resume', { reason: 'the window is over' })).toMatchObject({ status: 200, body: { pauses: [] } });

  await app.inTime('all are moved', () => onVersion(accounts, next.version) === 3);
  await app.inTime('it is finished', async () => (await rotationOf(files)).state === 'finished');
});
