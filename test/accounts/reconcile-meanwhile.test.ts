import { describe, expect, it } from 'vitest';
import type { Services } from '../../src/services.ts';
import { eventually } from '../support/eventually.ts';
import { REVOKER } from '../support/keys.ts';
import { useAccounts } from './account-fixture.ts';

const { key, reasons, reconcile, requestsOf, wire } = useAccounts();

describe('what happened since the message was written', () => {
  it('an account that was deleted is done with', async () => {
    const files = key();
    const account = files.account();
    wire.azure.world.storageAccounts.delete(account.name);
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(reasons()).toEqual(['AccountNotFound']);
  });

  it('an account that the app has moved with another key is not written to', async () => {
    const [files, other] = [key(), key()];
    const account = files.account();
    files.add();
    await reconcile(files.accountWork(account));
    other.add();
    const since = wire.azure.requests.last;
    expect(await reconcile(other.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(reasons().at(-1)).toBe('OtherKey');
  });

  it('an account that is deleted between the read and the PATCH is done with', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const services = wire.services();
    const updateEncryption: Services['accounts']['updateEncryption'] = (...change) => {
      wire.azure.world.storageAccounts.delete(account.name);
      return services.accounts.updateEncryption(...change);
    };
    const accounts = { ...services.accounts, updateEncryption };
    expect(await reconcile(files.accountWork(account), { ...services, accounts })).toEqual({ outcome: 'done' });
    expect(new Set(reasons())).toEqual(new Set(['AccountNotFound']));
  });

  it('an account that is deleted while its scopes are looked at is done with', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    files.add();
    const match = { method: 'GET', path: `${account.name}/encryptionScopes/scope1` };
    wire.azure.faults.add([{ match, times: 1, delayMs: 300 }]);
    const look = reconcile(files.accountWork(account));
    await eventually('the scope is read', () => wire.azure.faults.list().length === 0);
    wire.azure.world.storageAccounts.delete(account.name);
    expect(await look).toEqual({ outcome: 'done' });
    expect(reasons()).toEqual(['AccountNotFound']);
  });

  it.each([
    ['another key', 'OtherKey'],
    ['keys managed by Microsoft', 'NotCustomerManaged'],
  ])('an account that was switched to %s is left alone', async (to, reason) => {
    const [files, other] = [key(), key()];
    const account = files.account();
    files.add();
    if (reason === 'OtherKey') account.encryption = other.account().encryption;
    else account.encryption = { keySource: 'Microsoft.Storage', services: account.encryption.services };
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account)), to).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(reasons()).toEqual([reason]);
  });

  it('an account whose key was revoked is neither moved nor refreshed', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const revokedOn = wire.azure.clock.now().toISOString();
    files.first.tags = { 'cmk-revocation': `${REVOKER.id} ${revokedOn} ${REVOKER.revokedBy} ${files.first.version}` };
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET']);
    expect(wire.records).toMatchObject([{ level: 'warning', reason: 'RevocationOpen' }]);
    expect(next.enabled).toBe(true);
  });
});
