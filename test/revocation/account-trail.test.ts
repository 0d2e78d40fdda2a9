import { describe, expect, it, vi } from 'vitest';
import type { AuditFiles } from '../../src/audit/audit-files.ts';
import { type AuditEntry, CHAIN_START, formatRecord } from '../../src/audit/record.ts';
import type { Taken } from '../../src/revocation/account-record.ts';
import { accountTrail, foundOnRecord } from '../../src/revocation/account-trail.ts';
import { role } from './account-parts.ts';
import { ALICE } from './records.ts';

const ACCOUNT =
  '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-données/providers/Microsoft.Storage/storageAccounts/stfiles01';
const NOON = new Date('2026-03-02T12:00:00.000Z');
const minutes = (n: number) => new Date(NOON.getTime() + n * 60_000);
const HOUR = 60;

interface Written {
  readonly entry: AuditEntry;
  readonly time: Date;
}
const word = (did: 'revoke' | 'restore', id: string, minute: number, more: object = {}): Written => {
  const revocation = { id, revokedOn: NOON, revokedBy: ALICE, part: 'identity', took: [role(1)] };
  const reason = did === 'revoke' ? 'AccountRevoked' : 'AccountRestored';
  const details = { revocation, closed: did === 'restore' ? [id] : undefined, ...more };
  return { entry: { action: `account.${did}`, reason, resource: ACCOUNT, details }, time: minutes(minute) };
};
const other = (minute: number): Written => ({
  entry: { action: 'account.move', reason: 'Moved', resource: ACCOUNT, details: { note: '"action":"account.revoke"' } },
  time: minutes(minute),
});

/** Files of one day each, by their names; how often they were read. */
function trail(all: Readonly<Record<string, readonly Written[]>>, edit = (text: string) => text) {
  let end = CHAIN_START;
  const files = new Map<string, Buffer>();
  for (const [name, written] of Object.entries(all)) {
    const lines = written.map(({ entry, time }) => {
      const record = formatRecord(end, { entry }, { id: `id-${end.seq}`, time });
      end = record.end;
      return edit(record.line);
    });
    files.set(name, Buffer.from(lines.join('')));
  }
  const read: string[] = [];
  const port: Pick<AuditFiles, 'list' | 'read'> = {
    list: async () => [...files].map(([name, { length: size }]) => ({ name, size, appendable: true })),
    read: async (name, from, to) => {
      read.push(name);
      const bytes = files.get(name) ?? Buffer.alloc(0);
      return { bytes: bytes.subarray(from, to), size: bytes.length, blocks: 1 };
    },
  };
  return { read, of: accountTrail(port as AuditFiles) };
}

describe('what the audit trail says of an account', () => {
  it('is its revocations and restores, the newest first, of that resource alone', async () => {
    const elsewhere = {
      ...word('revoke', 'beef', 3),
      entry: { ...word('revoke', 'beef', 3).entry, resource: `${ACCOUNT}0` },
    };
    const { of } = trail({
      '2026-03-02.jsonl': [word('revoke', 'f00d', 0), other(1), elsewhere, word('restore', 'f00d', 5), other(6)],
    });
    const words = await of(ACCOUNT.toUpperCase(), NOON);
    expect(words.map(({ did, revocation, on }) => [did, revocation, on])).toEqual([
      ['restore', 'f00d', minutes(5)],
      ['revoke', 'f00d', minutes(0)],
    ]);
    expect(words[1]?.record).toMatchObject({ id: 'f00d', revokedOn: NOON, took: [role(1)] });
    expect(words[0]?.closed).toEqual(['f00d']);
  });

  it('is read no further once nobody waits for it', async () => {
    const { of, read } = trail({
      '2026-03-01.jsonl': [word('revoke', 'beef', -HOUR)],
      '2026-03-02.jsonl': [word('revoke', 'f00d', 0)],
    });
    await expect(of(ACCOUNT, minutes(-HOUR), AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up');
    expect(read).toEqual(['2026-03-02.jsonl']);
  });

  it('is read line by line only where a line may be one of them', async () => {
    const { of, read } = trail({
      '2026-03-02.jsonl': [word('revoke', 'f00d', 0), ...Array.from({ length: 9_000 }, (_, n) => other(n / 1000))],
    });
    const parse = vi.spyOn(JSON, 'parse');
    expect(await of(ACCOUNT, NOON)).toHaveLength(1);
    // The oldest of each read tells whether to go on.
    expect(parse.mock.calls.length).toBeLessThanOrEqual(read.length + 1);
    parse.mockRestore();
  });

  it('is nothing of a line that was altered', async () => {
    const { of } = trail({ '2026-03-02.jsonl': [word('restore', 'f00d', 5)] }, (line) => line.replace('f00d', 'beef'));
    expect(await of(ACCOUNT, NOON)).toEqual([]);
  });

  it('is no record of a revocation that a look has concluded', async () => {
    const { of } = trail({ '2026-03-02.jsonl': [word('revoke', 'f00d', 5, { foundLater: true, found: [role(1)] })] });
    const nothing = { record: undefined, found: [] };
    expect(await of(ACCOUNT, NOON)).toMatchObject([{ did: 'revoke', foundLater: true, ...nothing }]);
  });

  it.each<[string, Written[], Taken, boolean]>([
    ['found', [word('revoke', 'f00d', 5, { found: [role(1)] })], role(1), true],
    ['found with a condition', [word('revoke', 'f00d', 5, { found: [role(1, { condition: 'c' })] })], role(1), false],
    ['joined', [word('revoke', 'f00d', 5)], role(1), false],
    [
      'found, and somebody restored since',
      [word('revoke', 'f00d', 5, { found: [role(1)] }), word('restore', 'f00d', 6)],
      role(1),
      false,
    ],
    [
      'found, and a look takes for restored',
      [word('revoke', 'f00d', 5, { found: [role(1)] }), word('restore', 'f00d', 6, { foundLater: true })],
      role(1),
      true,
    ],
  ])('has what a revocation has %s', async (_, written, taken, isFound) => {
    const { of } = trail({ '2026-03-02.jsonl': written });
    expect(foundOnRecord(await of(ACCOUNT, NOON))(taken)).toBe(isFound);
  });

  it('reaches back to that time, as clocks that differ have it, and is read no further', async () => {
    const { of, read } = trail({
      '2026-02-20.jsonl': [word('revoke', 'old1', -10 * 24 * HOUR)],
      '2026-03-02.jsonl': [word('revoke', 'f00d', -2 * HOUR), word('revoke', 'f11d', -30), word('restore', 'f11d', 5)],
    });
    expect((await of(ACCOUNT, NOON)).map(({ revocation }) => revocation)).toEqual(['f11d', 'f11d']);
    expect(new Set(read)).toEqual(new Set(['2026-03-02.jsonl']));
  });
});
