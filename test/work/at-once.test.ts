import { describe, expect, it, vi } from 'vitest';
import { AtOnce, SharedRoom } from '../../src/work/at-once.ts';
import { KEY_WORK, type Work } from '../../src/work/messages.ts';

const cause = { by: 'drift', ref: '', since: '' };
const WORK: Work = { kind: 'key', key: 'https://kv-files.vault.azure.net/keys/files-key', cause, attempt: 0 };

const IN_QUEUE = 'in the queue in 15 s';

/** What becomes of the message of work that ends as told, in order. */
async function messageOf(run: () => Promise<void>, room = 1): Promise<string[]> {
  const told: string[] = [];
  const messages = {
    hold: async (_queue: string, _work: Work, seconds: number) => {
      told.push(`in the queue in ${seconds} s`);
      return {
        keep: async (seconds: number) => void told.push(`kept for ${seconds} s`),
        remove: async () => void told.push('taken out'),
      };
    },
  };
  const atOnce = new AtOnce(messages, room);
  const begun = await atOnce.begin(KEY_WORK, WORK, async () => {
    told.push('begun');
    await run();
    told.push('done');
  });
  await atOnce.settled();
  return begun ? told : ['no room', ...told];
}

describe('work that is done in place', () => {
  it('is in the queue before it is begun, and until it is done', async () => {
    const later = () => new Promise<void>((resolve) => setImmediate(resolve));
    expect(await messageOf(later)).toEqual([IN_QUEUE, 'begun', 'done', 'taken out']);
  });

  it('is kept out of sight for as long as it takes, and no longer', async () => {
    vi.useFakeTimers();
    try {
      const told = await messageOf(async () => void (await vi.advanceTimersByTimeAsync(12_000)));
      expect(told).toEqual([IN_QUEUE, 'begun', 'kept for 15 s', 'kept for 15 s', 'done', 'taken out']);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is kept out of sight although one time that fails, and taken out when the last time is over', async () => {
    vi.useFakeTimers();
    try {
      const told: string[] = [];
      const ends: (() => void)[] = [];
      const keep = async () => {
        told.push('kept');
        if (told.length === 1) throw new Error('no answer');
        await new Promise<void>((resolve) => ends.push(resolve));
        told.push('for longer');
      };
      const messages = { hold: async () => ({ keep, remove: async () => void told.push('taken out') }) };
      const atOnce = new AtOnce(messages, 1);
      await atOnce.begin(KEY_WORK, WORK, () => new Promise((resolve) => setTimeout(resolve, 12_000)));
      const settled = atOnce.settled();
      await vi.advanceTimersByTimeAsync(13_000);
      expect(told).toEqual(['kept', 'kept']);
      for (const end of ends) end();
      await settled;
      expect(told).toEqual(['kept', 'kept', 'for longer', 'taken out']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is kept out of sight although the queue does not answer once', async () => {
    vi.useFakeTimers();
    try {
      const kept: number[] = [];
      const start = Date.now();
      const keep = async (_seconds: number, signal: AbortSignal) => {
        kept.push(Date.now() - start);
        if (kept.length > 1) return;
        await new Promise<void>((_, reject) => {
          setTimeout(() => reject(new Error('no answer')), 10_000);
          signal?.addEventListener('abort', () => reject(new Error('given up')));
        });
      };
      const atOnce = new AtOnce({ hold: async () => ({ keep, remove: async () => {} }) }, 1);
      await atOnce.begin(KEY_WORK, WORK, () => new Promise((resolve) => setTimeout(resolve, 16_000)));
      await vi.advanceTimersByTimeAsync(20_000);
      // In sight again at 15 s.
      expect(kept).toEqual([5_000, 10_000, 15_000]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is taken out soon after it is done, however long the queue has not answered meanwhile', async () => {
    vi.useFakeTimers();
    try {
      const told: string[] = [];
      const keep = () => {
        told.push('kept');
        return new Promise<void>((_, reject) => setTimeout(() => reject(new Error('no answer')), 10_000));
      };
      const messages = { hold: async () => ({ keep, remove: async () => void told.push('taken out') }) };
      const atOnce = new AtOnce(messages, 1);
      await atOnce.begin(KEY_WORK, WORK, () => new Promise((resolve) => setTimeout(resolve, 62_000)));
      await vi.advanceTimersByTimeAsync(72_000);
      expect(told.at(-1)).toBe('taken out');
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('stays in the queue when it fails', async () => {
    expect(await messageOf(() => Promise.reject(new Error('broken off')))).toEqual([IN_QUEUE, 'begun']);
  });

  it('is left to whoever asked where there is no room', async () => {
    expect(await messageOf(async () => {}, 0)).toEqual(['no room']);
  });

  it('shares what room there is beside its own until it is over', async () => {
    const messages = { hold: async () => ({ keep: async () => {}, remove: async () => {} }) };
    const of = new SharedRoom(1);
    const one = new AtOnce(messages, 1, { pieces: 2, of });
    const other = new AtOnce(messages, 1, { pieces: 2, of });
    const ends: (() => void)[] = [];
    const begin = (atOnce: AtOnce) =>
      atOnce.begin(KEY_WORK, WORK, () => new Promise<void>((resolve) => ends.push(resolve)));
    expect([await begin(one), await begin(one), await begin(one)]).toEqual([true, true, false]);
    expect([await begin(other), await begin(other)]).toEqual([true, false]);
    ends[0]?.();
    let isSettled = false;
    const settled = one.settled().then(() => {
      isSettled = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([isSettled, await begin(other)]).toEqual([false, false]);
    for (const end of ends) end();
    await settled;
    expect(await begin(other)).toBe(true);
  });

  it('has no more of what is shared than it may', async () => {
    const messages = { hold: async () => ({ keep: async () => {}, remove: async () => {} }) };
    const atOnce = new AtOnce(messages, 0, { pieces: 1, of: new SharedRoom(5) });
    const begin = () => atOnce.begin(KEY_WORK, WORK, async () => {});
    expect([await begin(), await begin()]).toEqual([true, false]);
  });

  it('gives shared room back when the work cannot be put into the queue', async () => {
    const of = new SharedRoom(1);
    const refused = { hold: () => Promise.reject(new Error('no queue')) };
    await expect(new AtOnce(refused, 0, { pieces: 1, of }).begin(KEY_WORK, WORK, async () => {})).rejects.toThrow(
      'no queue',
    );
    expect(of.take()).toBe(true);
  });
});
