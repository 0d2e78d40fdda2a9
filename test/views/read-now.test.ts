import { expect, it, onTestFinished, vi } from 'vitest';
import { FleetSnapshots } from '../../src/views/fleet.ts';
import type { KeyLister } from '../../src/views/key-list.ts';
import type { ListedVault } from '../../src/views/key-schemas.ts';
import { NowBoard, type NowPorts } from '../../src/views/read-now.ts';

const SILENT = { what: 'kv', reason: 'Unreadable', detail: 'It did not answer.' };

/** What becomes of the keys, by a list that answers page by page. */
async function keysBy(list: KeyLister['list']) {
  const ports = {
    settings: { vaults: { all: [] } },
    now: () => new Date(),
  } as unknown as NowPorts;
  const board = new NowBoard(new FleetSnapshots(), { list } as KeyLister);
  const taken = await board.takers(ports).keys();
  if (!('value' in taken)) throw new Error('They are not there.');
  return taken.value;
}

it('A vault that failed at one page of keys is unread, although it answered at the next', async () => {
  const pages: readonly { vaults: readonly ListedVault[]; next?: string }[] = [
    { vaults: [{ vault: 'kv-a', unread: SILENT }, { vault: 'kv-b' }], next: 'kv-b/k' },
    { vaults: [{ vault: 'kv-a' }, { vault: 'kv-b', unread: SILENT }] },
  ];
  const { vaults } = await keysBy(async ({ after }) => ({ value: [], ...pages[after ? 1 : 0] }) as never);
  expect(vaults.filter(({ unread }) => unread).map(({ vault }) => vault)).toEqual(['kv-a', 'kv-b']);
});

it('No page of keys is started after a minute, and the answer is not complete then', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  let pages = 0;
  const { complete } = await keysBy(async () => {
    pages += 1;
    vi.advanceTimersByTime(20_001);
    return { value: [], vaults: [], next: pages < 9 ? 'more' : undefined } as never;
  });
  expect([pages, complete]).toEqual([3, false]);
});
