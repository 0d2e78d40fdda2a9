import { beforeEach, describe, expect, it } from 'vitest';
import { putWork } from '../../src/drift/apply/put-work.ts';
import { createFleetTable } from '../../src/index/fleet-table-client.ts';
import { createWorkItems, type NewWorkItem, type WorkItem, type WorkItems } from '../../src/index/work-items.ts';
import { useAzurite } from '../support/azurite.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';
import { forgetFleet } from '../support/wire.ts';

const azurite = useAzurite();
const ONE = '00000000-0000-4000-8000-000000000001';
const TWO = '00000000-0000-4000-8000-000000000002';
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
const ACCOUNT = `/subscriptions/${ONE}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1`;
const NOTIFICATION = `siem-1/${'0'.repeat(32)}`;
const NOON = new Date('2026-06-01T12:00:00.000Z');
const LATER = new Date('2026-06-01T12:05:00.000Z');
const wanted = (more: Partial<NewWorkItem> = {}): NewWorkItem => ({
  subscription: ONE,
  kind: 'key',
  about: KEY,
  due: NOON,
  since: NOON,
  cause: { by: 'KeyNewVersionCreated', ref: 'event-1', since: NOON.toISOString() },
  ...more,
});
async function only(items: WorkItems, subscription = ONE): Promise<WorkItem> {
  const [item, ...more] = await items.of(subscription);
  expect(more).toEqual([]);
  if (!item) throw new Error('There is no item.');
  return item;
}

// The same promises of the table and of what stands for it in the simulation.
describe.each([
  [
    'in Table Storage',
    () =>
      createWorkItems(
        createFleetTable({ storage: { connectionString: azurite.connectionString } }, () => {
          throw new Error('A connection string needs no credential.');
        }),
      ),
  ],
  ['in memory', () => new MemoryWorkItems().port()],
])('work items %s', (_, make) => {
  let items: WorkItems;

  beforeEach(async () => {
    await forgetFleet(azurite.connectionString);
    items = make();
  });

  it('Work items do not exist before the first one is written, and are read as they were written', async () => {
    expect(await items.of(ONE)).toEqual([]);

    const all: NewWorkItem[] = [
      wanted({ attempts: 3, reason: 'Throttled', fresh: true }),
      wanted({ kind: 'account', about: ACCOUNT }),
      wanted({ kind: 'verify', about: '' }),
      wanted({ subscription: TWO, kind: 'list', about: '' }),
      wanted({ subscription: '-' }),
      wanted({ subscription: '-', kind: 'notify', about: NOTIFICATION }),
      wanted({ subscription: '-', kind: 'rotate' }),
      wanted({ subscription: '-', kind: 'changes', about: '' }),
    ];

    await items.put(all);

    const read: WorkItem[] = [];

    for await (const item of items.all()) read.push(item);

    const plain = read.map(({ etag, ...item }) => item);
    expect(plain).toHaveLength(all.length);

    for (const item of all) expect(plain).toContainEqual({ attempts: 0, ...item });

    expect((await items.of(ONE)).map(({ kind }) => kind).sort()).toEqual(['account', 'key', 'verify']);
    expect((await items.of('-')).map(({ about }) => about)).toEqual(['', KEY, NOTIFICATION, KEY]);
    expect(await items.ofJob('notify', NOTIFICATION)).toMatchObject({ about: NOTIFICATION });
    expect(await items.ofJob('probe', KEY)).toBeUndefined();
  });

  it('Work items are replaced when written again, and then a worker that read the old one neither finishes nor postpones them', async () => {
    await items.put([wanted({ attempts: 2 })]);
    const before = await only(items);
    await items.put([wanted({ due: LATER })]);
    expect(await items.finish(before)).toBe(false);
    expect(await items.postpone(before, { due: NOON, attempts: 3 })).toBe(false);
    expect(await only(items)).toMatchObject({ due: LATER, attempts: 0 });
  });

  it('Work items are postponed with their reason, and finished once', async () => {
    await items.put([wanted({ reason: 'Throttled' })]);
    const item = await only(items);
    expect(await items.postpone(item, { due: LATER, attempts: 1, reason: 'ServiceUnavailable' })).toBe(true);
    const postponed = await only(items);
    expect(postponed).toMatchObject({ due: LATER, since: NOON, attempts: 1, reason: 'ServiceUnavailable', about: KEY });
    expect(await items.finish(postponed)).toBe(true);
    expect(await items.finish(postponed)).toBe(false);
    expect(await items.of(ONE)).toEqual([]);
  });

  const byDrift = { cause: { by: 'drift', ref: '', since: '' } };

  it('A work item of the drift check does not replace that of an event', async () => {
    await items.put([wanted()]);
    await items.putNew([wanted(byDrift), wanted({ ...byDrift, kind: 'list', about: '' })]);
    const by = Object.fromEntries((await items.of(ONE)).map(({ kind, cause }) => [kind, cause.by]));
    expect(by).toEqual({ key: 'KeyNewVersionCreated', list: 'drift' });
  });

  it('A work item of the drift check for an account replaces an older one, which a running pass may have read', async () => {
    const changed = () =>
      putWork([{ subscription: ONE, kind: 'account', about: ACCOUNT }], byDrift.cause, {
        workItems: items,
        fleetQueue: { send: async () => {} },
      });

    await changed();

    const read = await only(items);

    await changed();

    expect(await items.finish(read)).toBe(false);
    expect(await only(items)).toMatchObject({ kind: 'account', about: ACCOUNT });
  });

  it('Work items are written in several transactions if one has no space, each name once', async () => {
    const many = Array.from({ length: 130 }, (_, n) =>
      wanted({ kind: 'account', about: ACCOUNT.replace('st1', `st${n % 120}`) }),
    );
    await items.put(many);
    expect(await items.of(ONE)).toHaveLength(120);
  });
});
