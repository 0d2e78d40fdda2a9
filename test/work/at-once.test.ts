import { describe, expect, it } from 'vitest';
import { AtOnce } from '../../src/work/at-once.ts';
import { KEY_WORK, type Work } from '../../src/work/messages.ts';

const cause = { by: 'drift', ref: '', since: '' };
const WORK: Work = { kind: 'key', key: 'https://kv-files.vault.azure.net/keys/files-key', cause, attempt: 0 };

/** What becomes of the message of work that ends as told, in order. */
async function messageOf(run: () => Promise<void>, room = 1): Promise<string[]> {
  const told: string[] = [];
  const messages = {
    hold: async () => {
      told.push('in the queue');
      return { remove: async () => void told.push('taken out') };
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
    expect(await messageOf(later)).toEqual(['in the queue', 'begun', 'done', 'taken out']);
  });

  it('stays in the queue when it fails', async () => {
    expect(await messageOf(() => Promise.reject(new Error('broken off')))).toEqual(['in the queue', 'begun']);
  });

  it('is left to whoever asked where there is no room', async () => {
    expect(await messageOf(async () => {}, 0)).toEqual(['no room']);
  });
});
