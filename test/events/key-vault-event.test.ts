import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKeyEvent } from '../../src/events/key-vault-event.ts';
import { KEY, keyVersion, VAULT_ID, VAULTS, versionName } from '../support/keys.ts';

const TYPE = 'Microsoft.KeyVault.KeyNewVersionCreated';
const DATA = {
  Id: keyVersion(7).id,
  VaultName: 'kv-files',
  ObjectType: 'Key',
  ObjectName: 'files-key',
  Version: versionName(7),
  NBF: 1559081980,
  EXP: 1559082102,
};
const CLOUD_EVENT = {
  id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
  source: VAULT_ID,
  subject: 'files-key',
  type: TYPE,
  time: '2026-07-25T01:08:33.1036736Z',
  data: DATA,
  specversion: '1.0',
};
const { source, type, time, specversion: _, ...both } = CLOUD_EVENT;
const EVENT_GRID_EVENT = { ...both, topic: source, eventType: type, eventTime: time, dataVersion: '1' };

describe('parseKeyEvent', () => {
  it.each([
    ['CloudEvents 1.0', CLOUD_EVENT],
    ['the Event Grid schema', EVENT_GRID_EVENT],
    [
      'the documented sample: a space behind a name, one before the version, numbers as strings',
      {
        ...EVENT_GRID_EVENT,
        data: { 'ObjectName ': 'files-key', ...DATA, Version: ` ${versionName(7)}`, NBF: '1559081980' },
      },
    ],
    [
      'the camelCase of the specification',
      { ...CLOUD_EVENT, data: { id: DATA.Id, vaultName: 'kv-files', objectType: 'Key', nbf: null } },
    ],
    ['a topic in other letter case', { ...EVENT_GRID_EVENT, topic: VAULT_ID.toUpperCase() }],
    ['unknown fields', { ...CLOUD_EVENT, traceparent: '00-x', data: { ...DATA, Color: 'red' } }],
  ])('parseKeyEvent reads %s', (_, event) => {
    expect(parseKeyEvent(event, TYPE, VAULTS)).toEqual({
      id: CLOUD_EVENT.id,
      type: TYPE,
      time: '2026-07-25T01:08:33.103Z',
      key: KEY,
      version: versionName(7),
    });
  });

  it.each([null, 0, 'soon'])('parseKeyEvent omits the time of an event if that is %j', (time) => {
    expect(parseKeyEvent({ ...CLOUD_EVENT, time }, TYPE, VAULTS)).toMatchObject({ key: KEY, time: undefined });
  });

  const other = VAULT_ID.replace('kv-files', 'kv-other');
  it.each([
    ['another type', { ...CLOUD_EVENT, type: 'Microsoft.KeyVault.KeyExpired' }, 'EventTypeUnknown'],
    ['no type', { ...CLOUD_EVENT, type: undefined }, 'EventMalformed'],
    ['a vault that is not managed', { ...CLOUD_EVENT, source: other }, 'EventVaultNotManaged'],
    ['no source', { ...CLOUD_EVENT, source: '' }, 'EventMalformed'],
    [
      'a managed vault as source, and a key of another',
      { ...CLOUD_EVENT, data: { ...DATA, Id: DATA.Id.replace('kv-files', 'kv-other') } },
      'EventVaultNotManaged',
    ],
    [
      'a key on another host',
      { ...CLOUD_EVENT, data: { ...DATA, Id: 'https://example.com/keys/files-key/0123' } },
      'EventMalformed',
    ],
    ['a key without a version', { ...CLOUD_EVENT, data: { ...DATA, Id: KEY.id } }, 'EventMalformed'],
    ['a secret', { ...CLOUD_EVENT, data: { ...DATA, ObjectType: 'Secret' } }, 'EventMalformed'],
    ['no data', { ...CLOUD_EVENT, data: undefined }, 'EventMalformed'],
    ['data that is a list', { ...CLOUD_EVENT, data: [DATA] }, 'EventMalformed'],
    ['an array', [CLOUD_EVENT], 'EventMalformed'],
    ['text', 'hello', 'EventMalformed'],
    ['null', null, 'EventMalformed'],
  ])('parseKeyEvent rejects %s, with a reason', (_, event, reason) => {
    expect(parseKeyEvent(event, TYPE, VAULTS)).toMatchObject({ refused: reason });
  });

  it('parseKeyEvent never throws, and never accepts a key outside the managed vaults', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom(VAULT_ID, other, DATA.Id, KEY.id, TYPE, 'https://kv-other.vault.azure.net/keys/k/0'),
    );

    const value = fc.oneof(text, fc.jsonValue());
    const names = fc.constantFrom(...'id source topic type eventType data Id ObjectType time'.split(' '), ' TYPE ');
    const event = fc.dictionary(names, fc.oneof(value, fc.dictionary(names, value)));

    fc.assert(
      fc.property(fc.oneof(event, fc.anything()), (input) => {
        const parsed = parseKeyEvent(input, TYPE, VAULTS);
        if ('refused' in parsed) expect(parsed.detail.length).toBeLessThan(400);
        else expect(parsed.key.id.startsWith('https://kv-files.vault.azure.net/keys/')).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
