import { describe, expect, it } from 'vitest';
import { createFromRecord, formatNameOfKey } from '../../src/notify/from-record.ts';
import { record, TIME } from './samples.ts';

describe('a record of the audit trail', () => {
  it('The notification of an audit record says who, why, and which revocation', () => {
    const details = {
      why: 'A laptop was stolen',
      ticket: 'INC-1',
      revocation: { id: 'rev1' },
      versions: [{ secret: 1 }],
    };

    expect(createFromRecord(record('key.revoke', 'Revoked', details))).toMatchObject({
      kind: 'revoked',
      severity: 'error',
      time: TIME,
      title: 'kv-files/files-key was revoked',
      text: 'Every version of the key is disabled, as a fresh read proves.\nReason given: A laptop was stolen',
      data: { reason: 'Revoked', revocation: 'rev1', ticket: 'INC-1', byName: 'Ada', byKind: 'person' },
    });
  });

  it('An audit record is one notification, however often it is read, or recorded under the same id of its own', () => {
    const one = createFromRecord(record('key.revoke', 'Revoked'))?.id;
    expect(one).toMatch(/^[0-9a-f]{32}$/);
    expect(createFromRecord({ ...record('key.revoke', 'Revoked', { foundIn: 'key-work' }), id: 'r2' })?.id).toBe(one);
    expect(createFromRecord(record('key.revoke', 'Revoked', {}, 'e2'))?.id).not.toBe(one);
    // Once incomplete and then complete are two pieces of news.
    expect(createFromRecord(record('key.revoke', 'RevocationIncomplete'))?.id).not.toBe(one);
  });

  it('A revocation that failed in a read-only vault is told as incomplete, with the vault as its cause', () => {
    expect(createFromRecord(record('key.revoke', 'VaultReadOnly'))).toMatchObject({
      kind: 'revocationIncomplete',
      severity: 'error',
      title: 'kv-files/files-key could not be revoked: its vault is read-only',
    });
  });

  it.each([
    ['a refusal, by which a caller could flood a channel', 'key.restore', 'SecondPersonNeeded'],
    ['each move of an account', 'account.move', 'Moved'],
    ['what this version does not know', 'key.new', 'New'],
  ])('An audit record is not sent as a notification: %s', (_what, action, reason) => {
    expect(createFromRecord(record(action, reason))).toBeUndefined();
  });

  it('The notification of a revocation below the key names the account, or its scope, and the key', () => {
    const id = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/stfiles01';
    const of = { ...record('account.revoke', 'AccountRevoked', { key: 'https://kv-files.vault.azure.net/keys/k' }) };
    const told = (resource: string) => createFromRecord({ ...of, entry: { ...of.entry, resource } });
    expect(told(id)).toMatchObject({
      kind: 'revoked',
      title: 'stfiles01 was revoked',
      data: { account: id, key: 'https://kv-files.vault.azure.net/keys/k' },
    });
    expect(told(`${id}/encryptionScopes/scope1`)?.title).toBe('stfiles01/scope1 was revoked');
  });

  it('A notification omits a reason and a ticket that a message of the work zone claimed', () => {
    const details = { why: 'Call https://evil.example', ticket: 'INC-1', foundIn: 'key-work' };
    const told = createFromRecord(record('key.revoke', 'Revoked', details));
    expect(told).toMatchObject({ kind: 'revoked', title: 'kv-files/files-key was revoked' });
    expect(JSON.stringify(told)).not.toMatch(/evil|INC-1/);
  });

  it('An audit record of an unknown form is sent without what cannot be read', () => {
    const odd = { why: 7, revocation: null, ticket: { a: 1 }, moved: 'x' };
    expect(createFromRecord(record('key.revoke', 'Revoked', odd))?.data).not.toHaveProperty('ticket');
    expect(formatNameOfKey('kv-files/files-key')).toBe('kv-files/files-key');
  });
});
