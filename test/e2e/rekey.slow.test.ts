import { expect, it } from 'vitest';
import { grantApp } from '../../local/azure/app-setup.ts';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addResourceGroup,
  addVault,
  allowStorage,
} from '../../local/azure/fleet.ts';
import type { EncryptionScope, StorageAccount, Vault } from '../../local/azure/world.ts';
import { useApp } from '../support/app.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { eventually } from '../support/eventually.ts';

// Re-keys end as ordered, nothing half: one that is paused, and beside it one that is rolled back, when the app is killed.

const PINNED = 8;
const ALL = 12;
const WITH_SCOPES = 2;
const FEW = 6;

/** One order: its two keys, and the accounts that are on the first. */
interface Move {
  readonly from: { readonly vault: Vault; readonly key: string };
  readonly to: { readonly vault: Vault; readonly key: string };
  readonly accounts: readonly StorageAccount[];
  /** Whether each was pinned, by name. */
  readonly modes: ReadonlyMap<string, boolean>;
}

const moves: Move[] = [];
let vaults: readonly Vault[] = [];
const app = useApp({
  settings: { throttle: true },
  leaseSeconds: 4,
  prepare({ world }) {
    const regions = ['westeurope', 'northeurope', 'uksouth'];
    const made = benchFleet(world, { accounts: PINNED, subscriptions: 2, regions });
    const [subscription] = world.subscriptions.values();
    if (!subscription) throw new Error('There is no subscription.');
    const group = addResourceGroup(world, subscription, 'rg-rekey');
    const other = addVault(world, group, 'kv-bench-new');
    vaults = [made.vault, other];
    grantApp(world, { vaults: [other], subscriptions: [subscription] });
    const identity = addIdentity(world, group, 'id-rekey');
    for (const { principalId } of world.identities.values())
      for (const vault of vaults) allowStorage(world, vault, principalId);
    // Each in a region of its own: what is shown is not how long lists of scopes wait for their budget.
    const addOrder = (name: string, vault: Vault, key: string, count: number, own: readonly StorageAccount[] = []) => {
      addKeyVersion(world, other, `${name}-new`);
      const place = addResourceGroup(world, subscription, `rg-${name}`, `region${moves.length}`);
      if (own.length === 0) addKeyVersion(world, vault, key);
      const use = { vault, keyName: key };
      const scopes = [
        { name: 'one', key: { ...use, mode: 'pinned' as const } },
        { name: 'two', key: { ...use, mode: 'automatic' as const } },
      ];
      const more = Array.from({ length: count }, (_, n) => {
        const mode = n % 2 === 0 ? 'automatic' : 'pinned';
        return addAccount(world, place, {
          name: `st${name}${n}`,
          identity,
          key: { ...use, mode },
          ...(n < WITH_SCOPES ? { scopes } : {}),
        });
      });
      const accounts = [...own, ...more];
      const modes = new Map(accounts.map((account) => [account.name, Boolean(uses(account)?.keyversion)]));
      moves.push({ from: { vault, key }, to: { vault: other, key: `${name}-new` }, accounts, modes });
    };
    addOrder('large', made.vault, 'bench-key', ALL - PINNED, made.accounts);
    addOrder('back', made.vault, 'back-key', FEW);
  },
  env: () => ({ CMK_VAULTS: vaults.map(({ id }) => id).join(',') }),
});

const uses = (account: StorageAccount) => account.encryption.keyvaultproperties;
const scopesOf = ({ encryptionScopes }: StorageAccount): readonly EncryptionScope[] => [...encryptionScopes.values()];

interface Status {
  readonly order: {
    readonly id: string;
    readonly state: string;
    readonly paused?: unknown;
    readonly verified?: unknown;
  };
  readonly progress: { readonly moved: number; readonly failed: number; readonly waiting: number };
}

async function call(path: string, method = 'GET', body?: object): Promise<{ status: number; body: Status }> {
  const response = await app.call('operator', method, `/rekeys${path}`, body);
  return { status: response.status, body: (await response.json()) as Status };
}

/** What is not on that key, in the mode that it had: accounts and scopes. */
function astray({ accounts, modes }: Move, { vault, key }: Move['from']): string[] {
  const isThere = (uri: string | undefined) => uri?.startsWith(`https://${vault.name}.vault.azure.net/keys/${key}`);
  return accounts.flatMap((account) => {
    const { keyname, keyvaulturi, keyversion } = uses(account) ?? {};
    const isOwn = isThere(`${keyvaulturi?.replace(/\/$/, '')}/keys/${keyname}`);
    const isInMode = Boolean(keyversion) === modes.get(account.name);
    const strays = scopesOf(account).filter(({ name, keyVaultProperties }) => {
      const uri = keyVaultProperties?.keyUri;
      // `one` is pinned, `two` automatic.
      return !isThere(uri) || (uri?.split('/').length === 6) !== (name === 'one');
    });
    const own = isOwn && isInMode ? [] : [`${account.name}: ${keyvaulturi} ${keyname} ${keyversion}`];
    return [...own, ...strays.map(({ name }) => `${account.name}/${name}`)];
  });
}

const arrived = ({ accounts, to }: Move): number =>
  accounts.filter((account) => uses(account)?.keyname === to.key).length;

async function start({ from, to }: Move): Promise<string> {
  const order = { from: `${from.vault.name}/${from.key}`, to: `${to.vault.name}/${to.key}`, reason: 'It has leaked' };
  const { status, body } = await call('', 'POST', order);
  expect(status, JSON.stringify(body)).toBe(201);
  return body.order.id;
}

/** The states of all orders by their ids; empty while the app cannot say: it starts. */
async function statesOf(): Promise<ReadonlyMap<string, string>> {
  const { status, body } = await call('');
  // A caller who asks too often is told to ask later.
  if (status !== 200) expect([429, 503], JSON.stringify(body)).toContain(status);
  const { value = [] } = body as { readonly value?: readonly Status['order'][] };
  return new Map(value.map(({ id, state }) => [id, state]));
}

const stateOf = async (id: string): Promise<string | undefined> => (await statesOf()).get(id);

/** The order and its progress, as soon as the app can say. */
async function statusOf(id: string): Promise<Status | undefined> {
  await eventually('the app says how far it is', async () => (await stateOf(id)) !== undefined);
  const { status, body } = await call(`/${id}`);
  return status === 200 ? body : statusOf(id);
}

/** @returns id of the order that moves everything back */
const rollBack = async (id: string): Promise<string> => {
  const { status, body } = await call(`/${id}?reason=It%20was%20a%20false%20alarm`, 'DELETE');
  expect(status, JSON.stringify(body)).toBe(202);
  return body.order.id;
};

async function restart(): Promise<void> {
  await app.kill();
  await app.start();
}

async function records(): Promise<
  { action: string; reason: string; resource: string; details: { scope?: string; rekey?: string } }[]
> {
  const entries = await auditEntries(app.connectionString);
  // Each is recorded at least once; readers drop those of the same id.
  return [...new Map(entries.map((entry) => [entry.id ?? crypto.randomUUID(), entry])).values()] as never;
}

it('moves 12 accounts and their scopes to another vault and back, killed, paused and resumed on the way', async () => {
  const [large, back] = moves as [Move, Move];
  const second = { from: 'kv-bench-new/large-new', to: `${large.from.vault.name}/back-key`, reason: 'A second one' };

  // Killed as soon as the first stands, and again while one is paused and the other is rolled back.
  const largeId = await start(large);
  expect((await call('', 'POST', second)).status).toBe(409);
  await restart();
  const backId = await start(back);
  await app.inTime('some of both have moved', () => [large, back].every((one) => arrived(one) >= 2));
  expect((await call(`/${largeId}/pause`, 'POST', { reason: 'Lunch' })).status).toBe(200);
  const backAgain = await rollBack(backId);
  await restart();

  expect(await statusOf(largeId)).toMatchObject({ order: { state: 'paused', paused: { why: 'Lunch' } } });
  expect((await call(`/${largeId}/resume`, 'POST', { reason: 'Back' })).status).toBe(200);
  const ended = async () => {
    const states = await statesOf();
    return [largeId, backId, backAgain].map((id) => states.get(id)).join() === 'done,ended,done';
  };
  await app.inTime('all have ended', ended);
  expect(astray(large, large.to)).toEqual([]);
  expect(astray(back, back.from)).toEqual([]);
  const subjects = ALL + 2 * WITH_SCOPES;
  expect(await statusOf(largeId)).toMatchObject({ progress: { moved: subjects, failed: 0, waiting: 0 } });

  const largeAgain = await rollBack(largeId);
  await app.inTime('it is rolled back', async () => (await stateOf(largeAgain)) === 'done');
  expect(astray(large, large.from)).toEqual([]);
  expect(await app.count('fleet-work-poison')).toBe(0);
  expect(await app.count('key-work-poison')).toBe(0);

  // Each move is on record, there and back, once its record could be appended, and a reader sees it once.
  const movesOf = async (id: string): Promise<string[]> =>
    (await records())
      .filter(({ action, details }) => action === 'account.rekey' && details.rekey === id)
      .map(({ resource, details }) => `${resource} ${details.scope}`)
      .sort();
  await app.inTime('each move is on record', async () => {
    const counts = await Promise.all([largeId, largeAgain].map(async (id) => new Set(await movesOf(id)).size));
    return counts.every((count) => count === subjects);
  });
  for (const id of [largeId, largeAgain]) expect(await movesOf(id)).toHaveLength(subjects);
  expect(await movesOf(backAgain)).toEqual(await movesOf(backId));

  // So is what was done to each order, whoever was killed right after it.
  const done = (await records()).filter(({ action }) => action === 'key.rekey');
  const doneTo = (id: string) =>
    done.filter(({ details }) => details.rekey === id).map(({ reason }) => reason.slice(5));
  expect(doneTo(largeId)).toEqual(['Started', 'Paused', 'Resumed', 'Done']);
  expect(doneTo(backId)).toEqual(['Started', 'Ended']);
  for (const id of [backAgain, largeAgain]) expect(doneTo(id)).toEqual(['TakingBack', 'TakenBack']);
});
