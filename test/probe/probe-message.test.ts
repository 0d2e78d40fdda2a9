import { describe, expect, it } from 'vitest';
import { PARSERS } from '../../src/work/messages.ts';
import { KEY } from '../support/keys.ts';
import { probeMessage } from '../support/probe-message.ts';

const cause = { by: 'revoke', ref: '1', since: '' };
const message = probeMessage(KEY, cause);
const keyMessage = { kind: 'key', key: KEY.id, cause };

describe('a message of the key queue', () => {
  it.each<[kind: string, message: object]>([
    ['probe', message],
    ['key', keyMessage],
  ])('A message of kind %s is parsed as it was written', (_, sent) => {
    expect(PARSERS['key-work'](JSON.parse(JSON.stringify(sent)))).toEqual(sent);
  });

  it.each<[sentence: string, entry: unknown]>([
    ['of another kind', { ...message, kind: 'account' }],
    ['without a kind', { ...message, kind: undefined }],
    ['without a key', { ...message, key: '' }],
    ['that is text', 'probe'],
  ])('A message of the key queue is rejected %s', (_, entry) => {
    expect(() => PARSERS['key-work'](entry)).toThrow(/has an invalid format/);
  });

  it.each<[kind: string, more: object]>([
    ['probe', { expect: 'open', since: '9999-12-31T00:00:00.000Z' }],
    ['revocation', { did: 'restore', revocation: { id: 'f00d' }, finished: true, records: true, versions: [] }],
    ['key', { alsoLate: true }],
    ['rotate', { due: 'now' }],
  ])('A message of kind %s is read without fields that would decide more than the key', (kind, more) => {
    const sent = { kind, key: KEY.id, cause };
    expect(PARSERS['key-work']({ ...sent, ...more })).toEqual(PARSERS['key-work'](sent));
  });

  it('A message with an unreadable caller is read without the caller', () => {
    const sent = { kind: 'revocation', key: KEY.id, cause, attempt: 0 };
    expect(PARSERS['key-work']({ ...sent, claimed: { caller: 'alice' } })).toEqual({ ...sent, claimed: undefined });
  });
});
