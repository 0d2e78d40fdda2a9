import { describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import { formatAccountRevocation, revokedPart, type Taken } from '../../src/revocation/account-record.ts';
import { ALICE } from '../revocation/records.ts';
import { pinnedTo, useAccounts } from './account-fixture.ts';

const { instance, key, reconcile, reasons, requestsOf, wire } = useAccounts();

function revoke(account: StorageAccount, scope?: string): void {
  const took: Taken[] = scope === undefined ? [] : [{ kind: 'scope', name: scope }];
  const record = { id: 'f00d', revokedOn: wire.azure.clock.now(), revokedBy: ALICE, part: revokedPart(scope), took };
  account.tags = { ...account.tags, ...formatAccountRevocation(record) };
}

describe('what is revoked below its key', () => {
  it('is not moved, its scopes neither, and moves once the record is gone', async () => {
    const files = key();
    const account = files.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    revoke(account);
    const next = files.add();
    const since = wire.azure.requests.last;
    await reconcile(files.accountWork(account));
    expect(requestsOf(account, since)).toEqual({ account: ['GET'], scopes: ['GET'] });
    expect(pinnedTo(account)).toBe(files.first.version);
    expect(reasons()).toEqual(['AccountRevocationOpen', 'AccountRevocationOpen']);

    // Its scopes alone: the account is read for the record.
    await reconcile({ ...files.accountWork(account), scopes: 'only' });
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(files.first));

    account.tags = {};
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(next.version);
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(next));
  });

  it('is not moved either when it is revoked after the app has moved it last, and its use is known', async () => {
    const files = key();
    const account = files.account('pinned');
    const second = files.add();
    await reconcile(files.accountWork(account));
    revoke(account);
    files.add();
    await reconcile(files.accountWork(account));
    expect(pinnedTo(account)).toBe(second.version);
    expect(reasons().at(-1)).toBe('AccountRevocationOpen');
  });

  it('does not move a scope whose account was revoked while the scopes before it were seen to', async () => {
    const files = key();
    const account = files.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    const next = files.add();
    const services = instance();
    const { accounts } = services;
    const listScopes: typeof accounts.listScopes = async function* (...of) {
      for await (const scope of accounts.listScopes(...of)) {
        revoke(account);
        wire.azure.clock.advance(10_000);
        yield scope;
      }
    };
    await reconcile(files.accountWork(account), { ...services, accounts: { ...accounts, listScopes } });
    expect(pinnedTo(account)).toBe(next.version);
    expect(account.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(files.id(files.first));
  });

  it('leaves alone the scope that is revoked, and it only: disabled it stays', async () => {
    const files = key();
    const scopes = ['scope1', 'scope2'].map((name) => ({ name, key: files.use('pinned') }));
    const account = files.account('pinned', { scopes });
    revoke(account, 'scope1');
    const [first, second] = ['scope1', 'scope2'].map((name) => account.encryptionScopes.get(name));
    account.encryptionScopes.set('scope1', { ...first, state: 'Disabled' } as NonNullable<typeof first>);
    const next = files.add();
    await reconcile(files.accountWork(account));
    expect(second?.state).toBe('Enabled');
    expect(pinnedTo(account)).toBe(next.version);
    const uriOf = (name: string) => account.encryptionScopes.get(name)?.keyVaultProperties?.keyUri;
    expect([uriOf('scope1'), uriOf('scope2')]).toEqual([files.id(files.first), files.id(next)]);
    expect(account.encryptionScopes.get('scope1')?.state).toBe('Disabled');
    expect(reasons()).toContain('ScopeRevocationOpen');
  });
});
