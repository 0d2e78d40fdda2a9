import { expect, it } from 'vitest';
import { KnownApprovals } from '../../src/approvals/known-approvals.ts';
import { FleetSnapshots } from '../../src/fleet/http/fleet-snapshot.ts';
import { NowBoard, type NowPorts } from '../../src/now/read-now.ts';
import type { ListedVault } from '../../src/overview/key-view.ts';
import type { KeyLister } from '../../src/overview/list-keys.ts';

const SILENT = { what: 'kv', reason: 'Unreadable', detail: 'It did not answer.' };

it('a vault that was silent at one page of keys is unread, though it answered at the next', async () => {
  const pages: readonly { vaults: readonly ListedVault[]; next?: string }[] = [
    { vaults: [{ vault: 'kv-a', unread: SILENT }, { vault: 'kv-b' }], next: 'kv-b/k' },
    { vaults: [{ vault: 'kv-a' }, { vault: 'kv-b', unread: SILENT }] },
  ];
  const list: Pick<KeyLister, 'list'> = {
    list: async ({ after }) => ({ value: [], ...pages[after ? 1 : 0] }) as never,
  };
  const ports = {
    settings: { vaults: { all: [] } },
    control: { refresh: async () => {} },
    now: () => new Date(),
  } as unknown as NowPorts;
  const board = new NowBoard(new FleetSnapshots(), list as KeyLister, new KnownApprovals());
  const taken = await board.takers(ports, () => {}).keys();
  expect('value' in taken && taken.value.vaults.filter(({ unread }) => unread).map(({ vault }) => vault)).toEqual([
    'kv-a',
    'kv-b',
  ]);
});
