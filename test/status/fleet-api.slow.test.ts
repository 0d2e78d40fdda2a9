import { beforeEach, describe, expect, it } from 'vitest';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { FLEET_QUERY, type FleetCall, handleFleet, handleFleetAccount } from '../../src/api/fleet.ts';
import { parseStorageAccountId } from '../../src/azure/resource-id.ts';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import type { RouteKey } from '../../src/http/access.ts';
import { parseCallQuery } from '../../src/http/query.ts';
import { openRevocation } from '../../src/revocation/revocation.ts';
import { revokeKey } from '../../src/revocation/revoke.ts';
import type { Services } from '../../src/services.ts';
import {
  FLEET_ACCOUNT,
  FLEET_LIST,
  type FleetAccountAnswer,
  type FleetListAnswer,
} from '../../src/status/fleet-schemas.ts';
import { FleetSnapshots } from '../../src/status/fleet-snapshots.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { reconcileAll } from '../support/work-items.ts';

const wire = useWire();

interface Asked {
  readonly reaches?: (key: RouteKey | undefined) => boolean;
  readonly etag?: string;
}

function callOf({ reaches = () => true, etag }: Asked): FleetCall {
  const headers = new Headers(etag === undefined ? {} : { 'if-none-match': etag });
  return { headers, reaches, snapshots: new FleetSnapshots() };
}

async function fleet(query = '', asked: Asked = {}) {
  const { status, headers, body } = await handleFleet(
    parseCallQuery(new URLSearchParams(query), FLEET_QUERY),
    callOf(asked),
    wire.services(),
  );
  const answer = FLEET_LIST.parse(JSON.parse(String(body)));
  return { status, headers: headers as Record<string, string>, ...answer };
}
const names = ({ value }: Pick<FleetListAnswer, 'value'>) => value.map(({ name }) => name);
const refused = (reason: string) => expect.objectContaining({ reason });

async function account(name: string, asked: Asked = {}): Promise<FleetAccountAnswer> {
  const { body } = await handleFleetAccount(name, callOf(asked), wire.services());
  return FLEET_ACCOUNT.parse(JSON.parse(String(body)));
}

/** A drift check, and the lists that it asks for: they fill the index. */
async function check(): Promise<DriftReport> {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const report = await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
  await reconcileAll(services, wire.log);
  return report;
}

/** As a move does: what is seen goes into the index. */
async function discover(key: TestKey, account: StorageAccount): Promise<void> {
  const { controller, workItems, now } = wire.services();
  const subscription = parseStorageAccountId(account.id)?.subscriptionId ?? '';
  const { cause } = key.keyWork();
  await workItems.put([{ subscription, kind: 'account', about: account.id, due: new Date(0), since: now(), cause }]);
  await controller.handleFleetMessage({ subscriptions: [subscription], tries: 0, cause }, wire.log);
}

const REVOKER = '0b1ec700-0000-4000-8000-000000000001';

/** @returns since when */
async function revoked(key: TestKey): Promise<string> {
  const services = wire.services();
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('unreachable');
  await revokeKey(managed, { id: 'r1-0123456789', revokedBy: REVOKER }, services);
  const versions = await services.keys.listVersions(managed);
  return openRevocation(versions, services.now())?.revokedOn.toISOString() ?? '';
}

beforeEach(async () => {
  await check();
});

describe('GET /api/fleet', () => {
  it('GET /api/fleet shows each account that uses a key, after a summary, and says how fresh it is', async () => {
    const { value, summary, freshness, warnings } = await fleet();
    expect(summary).toMatchObject({ text: '13 accounts: 13 serving', accounts: 13, causes: [] });
    expect([warnings, value.length]).toEqual([[], 13]);
    expect(freshness).toMatchObject({ check: { complete: true } });

    expect(value.find(({ name }) => name === 'stfiles06')).toMatchObject({
      resourceGroup: 'rg-files',
      region: 'westeurope',
      key: 'https://kv-files.vault.azure.net/keys/files-key',
      vault: 'kv-files',
      mode: 'pinned',
      version: expect.stringMatching(/^[0-9a-f]{32}$/),
      scopes: 1,
      health: { state: 'Serving' },
      lastChecked: freshness.check?.startedOn,
    });

    expect((await fleet('all=true')).summary.text).toBe('14 accounts: 13 serving, 1 not managed');
  });

  it('GET /api/fleet returns page by page, by any filter, and rejects a parameter that it does not have', async () => {
    const first = await fleet('vault=kv-files&top=4');
    expect(names(first)).toEqual(['starchive01', 'starchive02', 'stfiles01', 'stfiles02']);

    const second = await fleet(first.nextLink?.split('?')[1]);
    expect(names(second)).toEqual(['stfiles03', 'stfiles04', 'stfiles05', 'stfiles06']);
    expect(second).toMatchObject({ summary: { accounts: 10 } });
    expect(await fleet(second.nextLink?.split('?')[1])).not.toHaveProperty('nextLink');
    expect(names(await fleet('key=records-key&resourceGroup=rg-records'))).toEqual(['strecords01', 'strecords02']);
    expect(names(await fleet('subscription=5ab50000-0000-4000-8000-000000000002&health=stale'))).toEqual([]);

    const long = 'x'.repeat(900);
    for (const query of ['page=2', 'health=Well', 'top=0', 'top=1001', 'all=yes', 'key=', `tag=${long}`]) {
      await expect(fleet(query), query).rejects.toEqual(refused('QueryInvalid'));
    }
  });

  it('GET /api/fleet is answered 304 as long as nothing has changed', async () => {
    const { headers } = await fleet();
    const again = await handleFleet(
      parseCallQuery(new URLSearchParams(), FLEET_QUERY),
      callOf({ etag: headers.etag ?? '' }),
      wire.services(),
    );

    expect(again).toMatchObject({ status: 304, headers: { etag: headers.etag } });
    expect(again.body).toBeUndefined();

    rotateKey(wire.azure.world, vaultNamed(wire.azure.world, 'kv-files'), 'archive-key');

    const changed = await fleet('', { etag: headers.etag ?? '' });
    expect(changed.status).toBe(200);
    expect(changed.summary.text).toBe('13 accounts: 11 serving, 2 stale (kv-files/archive-key)');
  });

  it('GET /api/fleet shows a revoked key at once, a tag, and an account that no check has covered', async () => {
    const { world } = wire.azure;
    const key = new TestKey(world);
    const old = key.account('pinned', { tags: { 'cmk-wave': '1', env: 'prod' } });

    await check();

    const young = key.account();

    await discover(key, young);

    const since = await revoked(key);
    const { value, summary } = await fleet(`key=${key.name}`);

    expect(summary.text).toBe(`2 accounts: 2 revoked (${key.vault.name}/${key.name})`);

    const cause = expect.objectContaining({ reason: 'RevocationOpen', about: [key.id()] });
    expect(value.map(({ health }) => health)).toEqual(Array(2).fill({ state: 'Revoked', cause, since }));
    expect(names(await fleet('tag=cmk-wave&tag=nothing'))).toEqual([old.name]);
    expect(names(await fleet(`tag=env=prod&cause=RevocationOpen&key=${key.vault.name}/${key.name}`))).toEqual([
      old.name,
    ]);
    expect(await account(young.name)).not.toHaveProperty('lastChecked');

    const other = new TestKey(world);

    await discover(other, other.account());

    expect((await fleet(`key=${other.name}`)).summary.text).toBe('1 account: 1 unknown');

    const { findings, scopeUses } = await account('stfiles06');
    expect([findings, scopeUses]).toMatchObject([[], [{ vault: 'kv-files' }]]);
  });

  it('GET /api/fleet says what it could not read, and shows no account as serving whose state depends on it', async () => {
    const down = async (): Promise<never> => {
      throw new Error('connect ECONNREFUSED');
    };
    const services = wire.services();
    const answer = async (change: Partial<Services>) => {
      const { body } = await handleFleet(parseCallQuery(new URLSearchParams(), FLEET_QUERY), callOf({}), {
        ...services,
        ...change,
      });
      return FLEET_LIST.parse(JSON.parse(String(body)));
    };

    const { driftStorage, keys, effects, fleet: index } = services;
    const unchecked = await answer({ driftStorage: { ...driftStorage, newest: down } });

    expect(unchecked.summary.states).toMatchObject({ Serving: 0, Unknown: expect.any(Number) });
    expect(unchecked.summary.states.Unknown).toBeGreaterThan(8);
    expect(unchecked.warnings).toEqual([expect.stringMatching(/^The app could not read the newest drift report: /)]);
    expect(unchecked.freshness).not.toHaveProperty('check');

    const unversioned = await answer({ keys: { ...keys, listVersions: down }, effects: { ...effects, read: down } });
    expect(unversioned.summary.states.Serving).toBe(0);
    expect(unversioned.warnings).toContainEqual(
      expect.stringMatching(/^The app could not read the versions of \S+files-key: /),
    );
    expect(unversioned.warnings).toContainEqual(
      expect.stringMatching(/^The app could not read the effect of \S+ on file services: /),
    );

    const gone = answer({ fleet: { ...index, listings: down } });
    await expect(gone).rejects.toMatchObject({ status: 503, reason: 'ServiceUnavailable' });
  });

  it('GET /api/fleet shows a caller with a narrowed role only accounts whose keys the role reaches', async () => {
    const reaches = (key: RouteKey | undefined) => key?.key === 'archive-key';
    const { value, summary } = await fleet('all=true', { reaches });
    expect(names({ value })).toEqual(['starchive01', 'starchive02']);
    expect(summary.subscriptions.listed).toBe(1);
    expect((await fleet()).summary.subscriptions.listed).toBe(2);
    expect(summary.accounts).toBe(2);
    await expect(account('stfiles01', { reaches })).rejects.toEqual(refused('NotFound'));
    expect(await account('starchive01', { reaches })).toMatchObject({ name: 'starchive01' });
  });
});
