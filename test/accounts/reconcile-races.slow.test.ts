import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { KeyVersion, StorageAccount } from '../../local/azure/world.ts';
import type { Services } from '../../src/services.ts';
import type { Outcome } from '../../src/work/outcome.ts';
import { faultyStorage } from '../audit/faulty-storage.ts';
import { eventually } from '../support/eventually.ts';
import { pinnedTo, useAccounts, versionInUse } from './account-fixture.ts';

// Guards invariants 2 (never backwards), 3 (modes are kept) and 4 (nothing else changes) when calls overlap.
const { instance, key, reasons, reconcile, requestsOf, wire } = useAccounts();

/** An instance whose answers to a read of the account come late: they show what was there before. */
function withLateAnswer(services: Services, until: Promise<unknown>): Services {
  let reads = 0;
  const get: Services['accounts']['get'] = async (id) => {
    const account = await services.accounts.get(id);
    reads += 1;
    if (reads === 1) await until;
    return account;
  };
  return { ...services, accounts: { ...services.accounts, get } };
}

/** Resolves when the last of the faults that were ordered has been met. */
const faultsMet = () => eventually('the fault was met', () => wire.azure.faults.list().length === 0);

const versionsListed = (name: string) =>
  eventually('the versions were listed', () =>
    wire.azure.requests.since().some(({ path, status }) => status === 200 && path.includes(`/keys/${name}/versions`)),
  );

function pinByHand(account: StorageAccount, id: string, version: KeyVersion): void {
  Object.assign(account.encryption.keyvaultproperties ?? {}, {
    keyversion: version.version,
    currentVersionedKeyIdentifier: id,
  });
}

describe('a version that appears while an account is looked at', () => {
  it('is not moved off again by an instance whose look began before', async () => {
    const files = key();
    const account = files.account();
    const second = files.add();
    // The first instance has its list of versions, and waits for the account.
    wire.azure.faults.add([{ match: { method: 'GET', path: `${account.name}\\?` }, times: 1, delayMs: 400 }]);
    const slow = reconcile(files.accountWork(account), instance());
    await faultsMet();
    await versionsListed(files.name);
    const third = files.add();
    const other = await reconcile(files.accountWork(account), instance());
    expect(await slow).toEqual({ outcome: 'done' });
    // Whichever came first, the account ends on the third version when the message that was put back is done.
    expect([second.version, third.version]).toContain(pinnedTo(account));
    if (other.outcome !== 'done') await reconcile(files.accountWork(account), instance());
    expect(pinnedTo(account)).toBe(third.version);
    await reconcile(files.accountWork(account), instance());
    expect(pinnedTo(account)).toBe(third.version);
  });

  it('is looked up when somebody has pinned it by hand meanwhile, and stays', async () => {
    const files = key();
    const account = files.account();
    files.add();
    wire.azure.faults.add([{ match: { method: 'GET', path: `${account.name}\\?` }, times: 1, delayMs: 400 }]);
    const slow = reconcile(files.accountWork(account), instance());
    await faultsMet();
    await versionsListed(files.name);
    const third = files.add();
    pinByHand(account, files.id(third), third);
    const since = wire.azure.requests.last;
    expect(await slow).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).not.toContain('PATCH');
    expect(pinnedTo(account)).toBe(third.version);
    expect(reasons()).toEqual(['UpToDate']);
  });

  it('is not moved off when it was pinned between the decision and the write', async () => {
    const files = key();
    const account = files.account();
    files.add();
    wire.azure.faults.add([{ match: { method: 'GET', path: `${account.name}\\?` }, skip: 1, times: 1, delayMs: 400 }]);
    const slow = reconcile(files.accountWork(account), instance());
    await faultsMet();
    const third = files.add();
    pinByHand(account, files.id(third), third);
    expect(await slow).toEqual({ outcome: 'done' });
    expect(pinnedTo(account)).toBe(third.version);
    expect(reasons()).toEqual(['UpToDate']);
  });
});

describe('what a person changes while an account is looked at', () => {
  it('to another key, is not undone', async () => {
    const [files, other] = [key(), key()];
    const account = files.account();
    files.add();
    let read = () => {};
    const changed = new Promise<void>((resolve) => {
      read = resolve;
    });
    const since = wire.azure.requests.last;
    const slow = reconcile(files.accountWork(account), withLateAnswer(instance(), changed));
    await eventually('the first read', () => requestsOf(account, since).account.length > 0);
    account.encryption = other.account().encryption;
    const switched = structuredClone(account.encryption);
    read();
    expect(await slow).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET']);
    expect(account.encryption).toEqual(switched);
    expect(reasons()).toContain('OtherKey');
  });

  it.each(['pinned', 'automaticEmpty'] as const)('between pinned and automatic (from %s), is kept', async (from) => {
    const files = key();
    const account = files.account(from);
    const next = files.add();
    let read = () => {};
    const changed = new Promise<void>((resolve) => {
      read = resolve;
    });
    const since = wire.azure.requests.last;
    const slow = reconcile(files.accountWork(account), withLateAnswer(instance(), changed));
    await eventually('the first read', () => requestsOf(account, since).account.length > 0);
    if (from === 'pinned') Object.assign(account.encryption.keyvaultproperties ?? {}, { keyversion: '' });
    else pinByHand(account, files.id(files.first), files.first);
    read();
    expect(await slow).toEqual({ outcome: 'done' });
    expect(pinnedTo(account)).toBe(from === 'pinned' ? '' : next.version);
    expect(versionInUse(account)).toBe(next.version);
  });

  it('of anything else of its encryption, is in the PATCH', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    wire.azure.faults.add([{ match: { method: 'GET', path: `${account.name}\\?` }, skip: 1, times: 1, delayMs: 300 }]);
    const slow = reconcile(files.accountWork(account), instance());
    await faultsMet();
    account.encryption.services = { ...account.encryption.services, table: { keyType: 'Account', enabled: true } };
    expect(await slow).toEqual({ outcome: 'done' });
    expect(account.encryption.services).toMatchObject({ table: { enabled: true } });
    expect(pinnedTo(account)).toBe(next.version);
  });

  it('of a scope, to another key, is not undone', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('pinned') }] });
    files.add();
    const match = { method: 'GET', path: `${account.name}/encryptionScopes/scope1` };
    wire.azure.faults.add([{ match, times: 1, delayMs: 300 }]);
    const slow = reconcile(files.accountWork(account), instance());
    await faultsMet();
    const scope = account.encryptionScopes.get('scope1');
    if (scope?.keyVaultProperties) Object.assign(scope.keyVaultProperties, { keyUri: other.id(other.first) });
    expect(await slow).toEqual({ outcome: 'done' });
    expect(scope?.keyVaultProperties?.keyUri).toBe(other.id(other.first));
    expect(reasons()).toEqual(['OtherKey']);
  });
});

describe('a lease that is lost before the PATCH', () => {
  it('keeps the PATCH from being sent', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const services = instance();
    const leases: Services['leases'] = {
      acquire: async (name) => {
        const lease = await services.leases.acquire(name);
        return (
          lease && {
            state: lease.state,
            held: () => false,
            save: (s) => lease.save(s),
            release: () => lease.release(),
            abandon: () => lease.abandon(),
            releaseAfter: (ms) => lease.releaseAfter(ms),
          }
        );
      },
    };
    const since = wire.azure.requests.last;
    expect(await reconcile(files.accountWork(account), { ...services, leases })).toMatchObject({
      reason: 'Busy',
      counts: false,
    });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET']);
    expect(pinnedTo(account)).toBe(files.first.version);
  });
});

// With the time that leases really take: the other one has it a minute later, and writes two and a half minutes later.
it('what an instance has under way that is cut off from the storage, and lives, takes no account back to an older version', async () => {
  const files = key();
  const account = files.account();
  files.add();
  const storage = await faultyStorage(wire.connectionString);
  onTestFinished(() => storage.close());
  // It takes effect 40 s after it was given up.
  wire.azure.faults.add([{ match: { method: 'PATCH', path: `${account.name}\\?` }, times: 1, delayMs: 100_000 }]);
  const cutOff = reconcile(
    files.accountWork(account),
    wire.services({ AzureWebJobsStorage: storage.connectionString }),
  );
  await eventually('its PATCH is under way', () => wire.azure.faults.list().length === 0);
  storage.onRequest(() => 'refuse');
  const next = files.add();
  const seen = new Set<string | undefined>();
  for (let outcome: Outcome | undefined; outcome?.outcome !== 'done'; ) {
    outcome = await reconcile(files.accountWork(account), wire.services());
    seen.add(pinnedTo(account));
    if (outcome.outcome === 'retry') await sleep((outcome.delaySeconds ?? 15) * 1_000);
  }
  expect(await cutOff).toMatchObject({ outcome: 'retry' });
  // The older one came in between, and was left behind.
  expect(seen.size).toBe(3);
  expect(pinnedTo(account)).toBe(next.version);
}, 400_000);
