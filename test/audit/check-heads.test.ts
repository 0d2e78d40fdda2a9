import { describe, expect, it } from 'vitest';
import { checkHeads, placedHeads } from '../../src/audit/check-heads.ts';
import { plainHead, type SignedHead } from '../../src/audit/signed-head.ts';
import { keepHead, type WatchServices } from '../../src/audit/watch-trail.ts';
import { KEY, signerOf } from './evidence.ts';

const TRAIL = 'https://stapp.blob.core.windows.net/cmk-audit';
const LAST = { file: '2026-11-25.jsonl', seq: 7, hash: 'a'.repeat(64) };
const NOON = new Date('2026-11-25T12:00:00Z');
const signer = signerOf();

function headOf(day: string): Promise<SignedHead> {
  return signer.sign(plainHead(TRAIL, { ...LAST, file: `${day}.jsonl` }, new Date(`${day}T12:00:00Z`)));
}

describe('a head', () => {
  it('of tomorrow, as a clock that is ahead dates it, may be believed; one of the day after would stand before all', async () => {
    const kept = await Promise.all(['2026-11-26', '2026-11-27'].map(async (day) => ({ day, head: await headOf(day) })));
    const placed = placedHeads(kept, NOON);
    expect(placed.heads).toEqual([kept[0]?.head]);
    expect(placed.findings).toMatchObject([{ reason: 'HeadMisplaced', file: expect.stringContaining('2026-11-27') }]);
  });

  it('of records before the day that one asks from is left out; of that day itself it counts', async () => {
    const heads = await Promise.all(['2026-11-24', '2026-11-25'].map(headOf));
    const checked = await checkHeads(heads, TRAIL, signer.publicKey, '2026-11-25');
    expect(checked).toEqual({ heads: [heads[1]], findings: [] });
  });

  it('is checked without asking Key Vault for its key once more', async () => {
    const asked: string[] = [];
    const keyOf = (version: string) => {
      asked.push(version);
      return signer.publicKey(version);
    };
    const heads = await Promise.all(['2026-11-24', '2026-11-25'].map(headOf));
    expect((await checkHeads(heads, TRAIL, keyOf)).heads).toEqual(heads);
    expect(asked).toEqual([KEY]);
  });
});

describe('an end of the trail', () => {
  const failed = (what: string) => () => Promise.reject(new Error(what));

  async function keep(more: Partial<WatchServices>) {
    const kept: SignedHead[] = [];
    const stores = {
      heads: { keep: async (head: SignedHead) => void kept.push(head) },
      last: { keep: async (head: SignedHead) => void kept.push(head) },
    } as unknown as WatchServices;
    const look = { findings: [], last: LAST, head: undefined, records: 7 };
    const result = await keepHead(look, { ...stores, trail: TRAIL, signer, now: () => NOON, ...more });
    return { kept, result };
  }

  it('is kept without a signature where the key cannot be reached, and that is said', async () => {
    const { kept, result } = await keep({ signer: { ...signer, sign: failed('no key') } });
    expect(kept).toMatchObject([LAST, LAST]);
    for (const head of kept) expect(head).not.toHaveProperty('signature');
    expect(result?.failure).toEqual(new Error('no key'));
  });

  it('is said to be without a signature first, where the table is out of reach too', async () => {
    const last = { read: failed('no table'), keep: failed('no table') };
    const { kept, result } = await keep({ signer: { ...signer, sign: failed('no key') }, last });
    expect(kept).toHaveLength(1);
    expect(result?.failure).toEqual(new Error('no key'));
  });
});
