import { describe, expect, it } from 'vitest';
import { parseKeyQueueWork, parseKeyWork } from '../../src/work/messages.ts';
import { day, KEY } from '../support/keys.ts';
import { probeMessage } from '../support/probe-message.ts';

const cause = { by: 'revoke', ref: '1', since: '' };
const message = probeMessage(KEY, 'blocked', day(1), cause);
const keyMessage = { kind: 'key', key: KEY.id, cause, attempt: 0 };

describe('a message of the key queue', () => {
  it.each<[kind: string, message: object]>([
    ['probe', message],
    ['key', keyMessage],
  ])('of kind %s survives the queue', (_, sent) => {
    expect(parseKeyQueueWork(JSON.parse(JSON.stringify(sent)))).toEqual(sent);
  });

  it.each<[sentence: string, entry: unknown]>([
    ['of another kind', { ...message, kind: 'account' }],
    ['without a kind', { ...message, kind: undefined }],
    ['that expects nothing known', { ...message, expect: 'unknown' }],
    ['without a time', { ...message, since: '' }],
    ['with a field of its own', { ...message, share: 'x' }],
    ['that is text', 'probe'],
  ])('is refused %s', (_, entry) => {
    expect(() => parseKeyQueueWork(entry)).toThrow(/not one of ours/);
  });

  it('about a probe is none for those who know keys alone', () => {
    expect(() => parseKeyWork(message)).toThrow(/not one of ours/);
  });
});
