import { expect, it, onTestFinished, vi } from 'vitest';
import { KnownApprovals } from '../../src/approvals/known-approvals.ts';
import { FleetSnapshots } from '../../src/views/fleet-snapshot.ts';
import type { KeyLister } from '../../src/views/key-list.ts';
import type { ListedVault } from '../../src/views/key-schemas.ts';
import { NowBoard, type NowPorts } from '../../src/views/read-now.ts';

const SILENT = { what: 'kv', reason: 'Unreadable', detail: 'It did not answer.' };

/** What becomes of the keys, by a list that answers page by page. */
async function keysBy(list: KeyLister['list']) {
  const ports = {
    settings: { vaults: { all: [] } },
    control: { refresh: async () => {} },
    now: () => new Date(),
  } as unknown as NowPorts;
  const board = new NowBoard(new FleetSnapshots(), { list } as KeyLister, new KnownApprovals());
  const taken = await board.takers(ports, () => {}).keys();
  if (!('value' in taken)) throw new Error('They are not there.');
  return taken.value;
}

it('a vault that was silent at one page of keys is unread, though it answered at the next', async () => {
  const pages: readonly { vaults: readonly ListedVault[]; next?: string }[] = [
    { vaults: [{ vault: 'kv-a', unread: SILENT }, { vault: 'kv-b' }], next: 'kv-b/k' },
    { vaults: [{ vault: 'kv-a' }, { vault: 'kv-b', unread: SILENT }] },
  ];
  const { vaults } = await keysBy(async ({ after }) => ({ value: [], ...pages[after ? 1 : 0] }) as never);
  expect(vaults.filter(({ unread }) => unread).map(({ vault }) => vault)).toEqual(['kv-a', 'kv-b']);
});

it('no page of keys is begun after a minute, and that is said', async () => {
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

it('the fleet is as old as its snapshot, and of before until one is made well after an account was revoked', async () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 10, 27, 5, 0, seconds));
  let [now, snapshotOn] = [at(12), at(10)];
  const snapshots = { get: async () => ({ readOn: snapshotOn }) } as unknown as FleetSnapshots;
  const ports = { now: () => now } as unknown as NowPorts;
  const fleetOf = (board: NowBoard) => board.takers(ports, () => {}).fleet();
  const newBoard = () => new NowBoard(snapshots, {} as KeyLister, new KnownApprovals());
  expect(await fleetOf(newBoard())).toEqual({ value: { readOn: at(10) }, readOn: at(10), ageMs: expect.any(Number) });
  const board = newBoard();
  board.changed({ account: 'stfiles01' }, { ...ports, now: () => at(11) });
  expect(await fleetOf(board)).toMatchObject({ value: {}, readOn: at(10), reading: true });
  // The index hears of it by a look at the account, which may not have been yet.
  for (const [seconds, isReading] of [
    [13, true],
    [17, false],
  ] as const) {
    [now, snapshotOn] = [at(seconds), at(seconds)];
    const later = newBoard();
    later.changed({ account: 'stfiles01' }, { ...ports, now: () => at(11) });
    const taken = await fleetOf(later);
    expect('reading' in taken && taken.reading).toBe(isReading);
  }
});
