import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedIdentityCredential } from '@azure/identity';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { appSettings } from '../../local/run/app-environment.ts';
import { createStorageAccounts } from '../../src/accounts/storage-client.ts';
import { describeFailure } from '../../src/azure/failure.ts';
import { LIMITS } from '../../src/azure/limits.ts';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { createKeys } from '../../src/keys/key-client.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { createServices, type Services } from '../../src/services.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
afterEach(() => {
  vi.useRealTimers();
});

const drained = async (list: AsyncIterable<unknown>): Promise<void> => {
  await Array.fromAsync(list);
};

function firstAccount(): ResourceId {
  const [account] = wire.azure.world.storageAccounts.values();
  const id = account && parseResourceId(account.id);
  if (!id) throw new Error('The local fleet has no account.');
  return id;
}

/** Each client of Azure Resource Manager and of Log Analytics, the requests that hang, and the seconds after which it gives up. */
const CALLS: Record<string, readonly [RegExp, (services: Services) => Promise<unknown>, number]> = {
  'an account': [/\/storageAccounts\/\w+\?/, ({ accounts }) => accounts.get(firstAccount()), 15],
  'the accounts': [/\/storageAccounts\?/, ({ accounts }) => drained(accounts.list(firstAccount().subscriptionId)), 15],
  'a PATCH of an account': [
    /\/storageAccounts\/\w+\?/,
    ({ accounts }) => accounts.updateEncryption(firstAccount(), {}),
    60,
  ],
  'a PATCH of a scope': [
    /\/encryptionScopes\//,
    ({ accounts }) => accounts.updateScopeKey(firstAccount(), 'scope1', 'https://kv-files.vault.azure.net/keys/a'),
    60,
  ],
  'the scopes': [/\/encryptionScopes\?/, ({ accounts }) => drained(accounts.listScopes(firstAccount())), 15],
  'the shares': [/\/shares\?/, ({ shares }) => drained(shares.list(firstAccount())), 15],
  'the containers': [/\/containers\?/, ({ containers }) => drained(containers.list(firstAccount())), 15],
  'the deleted accounts': [
    /\/deletedAccounts\?/,
    ({ deletedAccounts }) => drained(deletedAccounts.deleted(firstAccount().subscriptionId)),
    15,
  ],
  'the log of a vault': [
    /\/workspaces\/[^/]+\/query/,
    ({ usageLog, settings }) => usageLog.read(createManagedKey(vaultOf(settings), 'files-key')),
    60,
  ],
  'the subscriptions': [/\/subscriptions\?/, ({ subscriptions }) => subscriptions.list(), 15],
  'a vault': [/\/vaults\/kv-files\?/, ({ vaults, settings }) => vaults.get(vaultOf(settings)), 15],
  roles: [/\/roleAssignments\?/, ({ authorization, settings }) => authorization.grantsAt(vaultOf(settings).id), 15],
  identities: [
    /\/userAssignedIdentities\?/,
    ({ identities }) => drained(identities.list(firstAccount().subscriptionId)),
    15,
  ],
  'event subscriptions': [/\/eventSubscriptions\?/, ({ eventGrid, settings }) => eventGrid.read(vaultOf(settings)), 15],
  'Resource Graph': [
    /\/Microsoft.ResourceGraph\//,
    ({ resourceGraph }) => drained(resourceGraph.query('resources | project id')),
    15,
  ],
};

function vaultOf(settings: Services['settings']): Services['settings']['vaults']['all'][number] {
  const vault = settings.vaults.byName('kv-files');
  if (!vault) throw new Error('kv-files is not managed.');
  return vault;
}

describe('calls that hang', () => {
  it.each(Object.entries(CALLS))('A call that hangs is aborted: %s', async (_, [path, call, seconds]) => {
    const services = wire.services();

    await services.subscriptions.list(); // fetches the token
    wire.azure.faults.add([{ match: { path: path.source }, times: 1, hang: true }]);

    const since = wire.azure.requests.last;

    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

    let failed: unknown;
    const called = call(services).catch((error: unknown) => {
      failed = error;
    });

    await until(() => wire.azure.faults.list().length === 0);
    vi.advanceTimersByTime(seconds * 1_000 - 100);
    await turns();

    expect(failed).toBeUndefined();

    vi.advanceTimersByTime(200);
    vi.useRealTimers();
    await called;

    expect(failed).toMatchObject({ name: 'TimeoutError', message: expect.stringMatching(`within ${seconds} s`) });
    expect(describeFailure(failed).kind).toBe('unavailable');
    expect(wire.azure.requests.since(since).length).toBeLessThanOrEqual(2);
  });
});

describe('a write that hangs', () => {
  const credential = new ManagedIdentityCredential({ clientId: CLIENT_IDS.appUserAssigned });

  /** Others wait for the end of these, and the limit of a single request is longer. */
  it.each<[string, RegExp, () => Promise<unknown>]>([
    [
      'of a scope',
      /\/encryptionScopes\//,
      () => {
        const limits = { ...LIMITS.storageManagement, wholeWriteMs: 500 };
        const accounts = createStorageAccounts(credential, wire.services().settings.cloud, limits);
        return accounts.updateScopeKey(firstAccount(), 'scope1', 'x');
      },
    ],
    [
      'that rotates a key',
      /\/rotate\?/,
      () => {
        const { settings } = wire.services();
        const limits = { ...LIMITS.keyWork, wholeWriteMs: 500 };
        return createKeys(credential, limits).rotate(createManagedKey(vaultOf(settings), 'files-key'));
      },
    ],
  ])('A hanging write %s is aborted at its total time limit', async (_, path, write) => {
    wire.azure.faults.add([{ match: { path: path.source }, times: 1, hang: true }]);
    await expect(write()).rejects.toMatchObject({
      name: 'TimeoutError',
      message: expect.stringMatching('within 0.5 s'),
    });
  });
});

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turns();
}

describe('a token request that hangs', () => {
  it.each<[string, (services: Services) => Promise<unknown>]>([
    ['Azure Resource Manager', ({ subscriptions }) => subscriptions.list()],
    ['Key Vault', ({ keyCatalog, settings }) => keyCatalog.names(vaultOf(settings))],
    ['break-glass', ({ urgentKeys, settings }) => urgentKeys.rotate(createManagedKey(vaultOf(settings), 'files-key'))],
  ])('A token request that hangs is aborted after 5 s: %s', async (_, call) => {
    let asked = false;
    const getToken = (): Promise<never> => {
      asked = true;
      return new Promise(() => {});
    };
    const services = createServices(appSettings(wire.connectionString, {}), { getToken });

    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

    const called = call(services).then(
      () => undefined,
      (error: unknown) => error,
    );

    await until(() => asked);
    vi.advanceTimersByTime(5_000);
    vi.useRealTimers();

    const failed = await called;
    expect(failed).toMatchObject({ name: 'TimeoutError', message: 'No token arrived within 5 s.' });
    expect(describeFailure(failed).kind).toBe('unavailable');
  });
});

describe('the wait that Retry-After asks for', () => {
  it.each([
    [429, undefined],
    [503, '<html>Busy</html>'],
  ])(
    'The wait that Retry-After asks for after a %i with the body %s is left to the queue, and not spent in a worker',
    async (status, body) => {
      const services = wire.services();
      await services.subscriptions.list();

      const since = wire.azure.requests.last;

      wire.azure.faults.add([{ match: {}, answer: { status, body, headers: { 'Retry-After': '120' } } }]);

      for (const [name, [, call]] of Object.entries(CALLS)) {
        const failed: unknown = await call(services).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect([name, describeFailure(failed)]).toMatchObject([name, { kind: 'throttled', retryAfterSeconds: 120 }]);
      }

      expect(wire.azure.requests.since(since)).toHaveLength(Object.keys(CALLS).length);
    },
  );
});

describe('the clients of Azure', () => {
  it('The app constructs no SDK client without the options that limit its calls', () => {
    const src = join(import.meta.dirname, '../../src');
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const made = files.flatMap((file) =>
      [...readFileSync(join(src, file), 'utf8').matchAll(/new (\w+Client)\(([^;]*?)\);?\n/g)].map(
        ([all]) => [file, all] as const,
      ),
    );

    expect(made.length).toBeGreaterThan(9);

    const unlimited = made.filter(
      ([, all]) => !/createArmOptions|callOptions|options\)|pipeline\)|ONCE\)|tryTimeoutInMs/.test(all),
    );
    expect(unlimited).toEqual([]);
  });

  it('The clients of Azure have time limits well below the function timeout of the host', () => {
    for (const { requestMs, writeMs = 0 } of Object.values<{ requestMs: number; writeMs?: number }>(LIMITS)) {
      expect(Math.max(requestMs, writeMs)).toBeLessThanOrEqual(60_000);
    }
  });
});
