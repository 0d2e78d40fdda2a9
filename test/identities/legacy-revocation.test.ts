import { describe, expect, it } from 'vitest';
import { readLegacyRevocations } from '../../src/identities/legacy-revocation.ts';

const ROLE = {
  kind: 'role',
  name: '5c4e28ba-2fa1-41d2-883f-0016d3cca427',
  scope:
    '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files',
  principalId: '7a3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e',
  description: 'für Storage',
};
// As version 2 wrote them.
const IDENTITY = {
  'cmk-revoked-1b4e28ba9d2f4c6e':
    '1/2 {"on":"2026-11-20T10:00:00.000Z","by":"0b3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e","joined":["1b3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e"],"part":"identity","took":[{"kind":"role","name":"5c4e28ba-2fa1-41d2-883f-0016d3cca427","scope":"/subscriptions/0000000',
  'cmk-revoked-1b4e28ba9d2f4c6e.2':
    '2/2 0-0000-4000-8000-000000000001/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files","principalId":"7a3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e","description":"f\\u00fcr Storage"}]}',
};
const SCOPE = {
  'cmk-revoked-2b4e28ba9d2f4c6e-rest':
    '1/1 {"on":"2026-11-21T10:00:00.000Z","by":"0b3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e","part":"scope:secret","took":[{"kind":"scope","name":"secret"}]}',
};

describe('a revocation that version 2 recorded in tags', () => {
  it('is read from all its tags, newest first, beside tags of others', () => {
    expect(readLegacyRevocations({ ...IDENTITY, env: 'prod', ...SCOPE })).toEqual([
      {
        id: '2b4e28ba9d2f4c6e-rest',
        revokedOn: new Date('2026-11-21T10:00:00.000Z'),
        revokedBy: '0b3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e',
        scope: 'secret',
        removed: [],
        tags: Object.keys(SCOPE),
      },
      {
        id: '1b4e28ba9d2f4c6e',
        revokedOn: new Date('2026-11-20T10:00:00.000Z'),
        revokedBy: '0b3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e',
        scope: undefined,
        removed: [ROLE],
        tags: Object.keys(IDENTITY),
      },
    ]);
  });

  it.each([
    ['a tag is missing', { 'cmk-revoked-1b4e28ba9d2f4c6e': IDENTITY['cmk-revoked-1b4e28ba9d2f4c6e'] }],
    ['a tag is changed', { ...IDENTITY, 'cmk-revoked-1b4e28ba9d2f4c6e.2': 'x' }],
    ['it is not JSON', { 'cmk-revoked-cafe': '1/1 {' }],
    [
      'it names a role outside of Azure',
      {
        'cmk-revoked-cafe':
          '1/1 {"on":"2026-11-20T10:00:00.000Z","by":"a","part":"identity","took":[{"kind":"role","name":"5c4e28ba-2fa1-41d2-883f-0016d3cca427","scope":"https://x","principalId":"7a3c2f64-7f0a-4a1e-9f0e-3f1a2b3c4d5e"}]}',
      },
    ],
  ])('is ignored when %s', (_, tags) => {
    expect(readLegacyRevocations(tags)).toEqual([]);
  });
});
