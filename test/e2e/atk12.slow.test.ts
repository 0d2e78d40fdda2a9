import { TableClient } from '@azure/data-tables';
import { expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { accountRow, keyPartition } from '../../src/fleet/fleet-keys.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

const app = useApp({ instances: 2, env: { CMK_CANARY: '1', CMK_DRIFT_SCHEDULE: '0 0 0 1 1 *' } });

async function call(path: string, body?: object, signIn: 'operator' | 'revoker' = 'operator') {
  const principal = app.azure.world.principals.get(CLIENT_IDS[signIn]);
  if (!principal) throw new Error(`The local tenant has no sign-in ${signIn}.`);
  const response = await fetch(`${app.url}/api${path}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      authorization: `Bearer ${app.azure.tokens.issue(principal, CMK_API_AUDIENCE).token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const rotationOf = async (of: TestKey) => (await call(`/rotations/${of.vault.name}/${of.name}`)).body;
const inUse = (account: StorageAccount) =>
  account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1);
const onVersion = (accounts: readonly StorageAccount[], version: string) =>
  accounts.filter((account) => inUse(account) === version).length;
const rotate = (of: TestKey) => {
  app.azure.clock.advance(1_000);
  return rotateKey(app.azure.world, of.vault, of.name);
};
const inTime = (what: string, probe: () => boolean | Promise<boolean>, step = 1_000, limit = 40_000) =>
  eventually(
    what,
    async () => {
      await app.advance(step);
      await new Promise((r) => setTimeout(r, 100));
      return probe();
    },
    limit,
  );
const count = () =>
  app.records().reduce((m, r) => m.set(r.reason, (m.get(r.reason) ?? 0) + 1), new Map<string, number>());


const report = async (label: string, files: TestKey, accounts: readonly StorageAccount[], version: string) => {
  const r = await rotationOf(files);
  const { state, reason, moved, waiting, failed, left, stage, failures } = r as Record<string, unknown>;
  console.log(label, onVersion(accounts, version), JSON.stringify({ state, reason, moved, waiting, failed, left, stage, failures }), 'queues', await app.count('key-work'), await app.count('account-work'), 'poison', await app.count('key-work-poison'), await app.count('account-work-poison'));
};
const settle = async (files: TestKey, accounts: readonly StorageAccount[]) => {
  const before = rotate(files);
  await inTime('all moved once', () => onVersion(accounts, before.version) === accounts.length);
  await inTime('finished', async () => (await rotationOf(files)).state === 'finished');
};
const tolerant = async (label: string, files: TestKey, accounts: readonly StorageAccount[], version: string, n: number, step = 1000, limit = 40_000) => {
  try { await inTime('all', () => onVersion(accounts, version) === n, step, limit); } catch (e) { console.log('!!!', label, (e as Error).message); }
  await report(label, files, accounts, version);
};
const fault = (method: string, account: StorageAccount | undefined, answer: object, times?: number) =>
  app.azure.faults.add([{ match: { method, path: `storageAccounts/${account?.name}\\?` }, answer, ...(times ? { times } : {}) } as never]);
const sorted = (n: number, files: TestKey, more: object = {}) => Array.from({ length: n }, () => files.account('pinned', more as never)).sort((a, b) => (a.name < b.name ? -1 : 1));
const throttled = { status: 429, headers: { 'Retry-After': '30' }, body: { error: { code: 'TooManyRequests', message: 'x' } } };


const quiet = (ms: number) => new Promise((r) => setTimeout(r, ms));
const dump = async () => {
  for (const q of ['key-work', 'account-work']) {
    const peek = await app.queues.getQueueClient(q).peekMessages({ numberOfMessages: 32 });
    const kinds = new Map<string, number>();
    for (const m of peek.peekedMessageItems) { const w = JSON.parse(m.messageText); const k = [w.kind, w.key?.split('/').at(-1), w.account?.split('/').at(-1), w.scopes, w.cause.by, w.attempt].join(' '); kinds.set(k, (kinds.get(k) ?? 0) + 1); }
    console.log(q, [...kinds]);
  }
};
it('B1 canary throttled', async () => {
  const files = new TestKey(app.azure.world);
  const accounts = sorted(4, files);
  const before = rotate(files);
  await eventually('once', () => onVersion(accounts, before.version) === 4, 60_000);
  await quiet(8000);
  console.log('B1 before', (await rotationOf(files)).state, [...count()]);
  fault('PATCH', accounts[0], throttled);
  const since = app.records().length;
  const next = rotate(files);
  await quiet(6000);
  await report('B1 held', files, accounts, next.version);
  console.log(app.records().slice(since).map((r) => `${r.function} ${r.reason} ${String(r.account ?? '').split('/').at(-1)} ${r.message.slice(0, 140)}`));
  await dump();
  app.azure.world.storageAccounts.delete(accounts[0]!.name);
  app.azure.faults.clear();
  await app.advance(40_000);
  await quiet(6000);
  await report('B1 deleted', files, accounts, next.version);
  await app.advance(61_000);
  await quiet(6000);
  await report('B1 later', files, accounts, next.version);
  await dump();
}, 200_000);

it('B3 pause in canary, key revoked and restored meanwhile, resumed', async () => {
  const files = new TestKey(app.azure.world);
  const accounts = sorted(4, files);
  const before = rotate(files);
  await eventually('once', () => onVersion(accounts, before.version) === 4, 60_000);
  await quiet(8000);
  const key = `${files.vault.name}/${files.name}`;
  fault('PATCH', accounts[0], throttled);
  const next = rotate(files);
  await quiet(5000);
  console.log('B3', (await call('/pause', { reason: 'mid canary', key })).status);
  app.azure.faults.clear();
  await app.advance(11_000);
  await quiet(2000);
  const revoked = await call(`/keys/${key}/revoke`, { reason: 'a drill', confirm: key }, 'revoker');
  await report('B3 revoked', files, accounts, next.version);
  await app.advance(120_000);
  await quiet(4000);
  await app.advance(120_000);
  await quiet(4000);
  await dump();
  const { id } = (revoked.body as { revocation: { id: string } }).revocation;
  const restored = await call(`/keys/${key}/restore`, { reason: 'drill is over', revocation: id }, 'restorer' as never);
  console.log('B3 restore', restored.status, JSON.stringify(restored.body).slice(0, 400));
  await quiet(4000);
  await report('B3 restored paused', files, accounts, next.version);
  console.log('B3 resume', (await call('/resume', { reason: 'go on', key })).status);
  await quiet(8000);
  await report('B3 resumed', files, accounts, next.version);
  await app.advance(61_000);
  await quiet(6000);
  await report('B3 later', files, accounts, next.version);
  await dump();
}, 200_000);
