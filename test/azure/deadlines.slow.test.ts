import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedIdentityCredential, type TokenCredential } from '@azure/identity';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { appSettings } from '../../local/run/app-environment.ts';
import { withTokenDeadline } from '../../src/azure/deadline.ts';
import { describeFailure } from '../../src/azure/failure.ts';
import { LIMITS } from '../../src/azure/limits.ts';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { createStorageAccounts } from '../../src/fleet/storage-client.ts';
import { createKeys } from '../../src/keys/key-client.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { createServices, type Services } from '../../src/services.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
afterEach(() => void vi.useRealTimers());

const drained = async (list: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of list);
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
    ({ usageLog, settings }) => usageLog.read(managedKey(vaultOf(settings), 'files-key')),
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

describe('a call that hangs is given up', () => {
  it.each(Object.entries(CALLS))('%s', async (_, [path, call, seconds]) => {
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

it('a write that Azure wants to have once more with another token is given up by the time that it has in all', async () => {
  const app = wire.azure.world.principals.get(CLIENT_IDS.appUserAssigned);
  if (!app) throw new Error('The local tenant has no app.');
  const asked: (() => void)[] = [];
  const getToken: TokenCredential['getToken'] = async (_, options) => {
    if (options?.claims) await new Promise<void>((answer) => void asked.push(answer));
    const { token } = wire.azure.tokens.issue(app, 'https://management.azure.com/');
    return { token, expiresOnTimestamp: wire.azure.clock.nowMs() + 3_600_000 };
  };
  const services = createServices(appSettings(wire.connectionString, {}), { getToken });
  await services.subscriptions.list();
  const claims = Buffer.from('{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}').toString('base64');
  const challenge = `Bearer error="insufficient_claims", claims="${claims}"`;
  const answer = { status: 401, headers: { 'WWW-Authenticate': challenge }, body: { error: { code: 'Expired' } } };
  const match = { method: 'PATCH' };
  wire.azure.faults.add([
    { match, times: 1, answer },
    { match, times: 1, hang: true },
  ]);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let failed: unknown;
  const called = services.accounts.updateEncryption(firstAccount(), {}).catch((error: unknown) => {
    failed = error;
  });
  await until(() => asked.length > 0);
  vi.advanceTimersByTime(4_000);
  asked[0]?.();
  let passedMs = 4_000;
  await until(() => {
    vi.advanceTimersByTime(10);
    passedMs += 10;
    return wire.azure.faults.list().length === 0;
  });
  vi.advanceTimersByTime(LIMITS.storageManagement.wholeWriteMs - passedMs - 100);
  await turns();
  expect(failed).toBeUndefined();
  vi.advanceTimersByTime(200);
  vi.useRealTimers();
  await called;
  expect(failed).toMatchObject({ name: 'TimeoutError', message: expect.stringMatching('within 60 s') });
});

describe('a write that is given up', () => {
  /** A client whose writes have half a second in all, and whose token is to be renewed from the second request on. */
  function client(getAnother: TokenCredential['getToken']) {
    const app = wire.azure.world.principals.get(CLIENT_IDS.appUserAssigned);
    if (!app) throw new Error('The local tenant has no app.');
    const issue = (refreshAfterMs?: number) => {
      const { token } = wire.azure.tokens.issue(app, 'https://management.azure.com/');
      const refreshAfterTimestamp = refreshAfterMs === undefined ? {} : { refreshAfterTimestamp: refreshAfterMs };
      return { token, expiresOnTimestamp: Date.now() + 3_600_000, ...refreshAfterTimestamp };
    };
    let asked = 0;
    const getToken: TokenCredential['getToken'] = async (scopes, options) => {
      asked += 1;
      if (asked === 1) return issue(Date.now() - 1);
      await getAnother(scopes, options);
      return issue();
    };
    const limits = { ...LIMITS.storageManagement, wholeWriteMs: 500 };
    const { cloud } = wire.services().settings;
    const accounts = createStorageAccounts(withTokenDeadline({ getToken }, 5_000), cloud, limits);
    return accounts;
  }

  /** Others wait for the end of these, and the limit of a single request is longer. */
  it.each<[string, RegExp, () => Promise<unknown>]>([
    [
      'of a scope',
      /\/encryptionScopes\//,
      () => client(async () => null).updateScopeKey(firstAccount(), 'scope1', 'x'),
    ],
    [
      'that rotates a key',
      /\/rotate\?/,
      () => {
        const { settings } = wire.services();
        const limits = { ...LIMITS.keyWork, wholeWriteMs: 500 };
        const credential = new ManagedIdentityCredential({ clientId: CLIENT_IDS.appUserAssigned });
        return createKeys(credential, limits).rotate(managedKey(vaultOf(settings), 'files-key'));
      },
    ],
  ])('is so by the time that it has in all: one %s', async (_, path, write) => {
    wire.azure.faults.add([{ match: { path: path.source }, times: 1, hang: true }]);
    await expect(write()).rejects.toMatchObject({
      name: 'TimeoutError',
      message: expect.stringMatching('within 0.5 s'),
    });
  });

  it('does not keep others from a new token: it comes once its endpoint answers again', async () => {
    let isDown = true;
    let given = 0;
    const accounts = client(async () => {
      if (isDown) throw new Error('The endpoint of tokens is down.');
      given += 1;
      return null;
    });
    await accounts.get(firstAccount());
    wire.azure.faults.add([{ match: { method: 'PATCH' }, times: 1, hang: true }]);
    await expect(accounts.updateEncryption(firstAccount(), {})).rejects.toThrow('within 0.5 s');
    isDown = false;
    // The SDK tries again every 3 s.
    for (let n = 0; n < 5; n += 1) {
      await accounts.get(firstAccount());
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    }
    // The one that was got is the one that is used: nobody asks for another.
    expect(given).toBe(1);
  });
});

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turns();
}

describe('a token that does not come', () => {
  it.each<[string, (services: Services) => Promise<unknown>]>([
    ['Azure Resource Manager', ({ subscriptions }) => subscriptions.list()],
    ['Key Vault', ({ keyCatalog, settings }) => keyCatalog.names(vaultOf(settings))],
    ['break-glass', ({ urgentKeys, settings }) => urgentKeys.rotate(managedKey(vaultOf(settings), 'files-key'))],
  ])('is given up after 5 s: %s', async (_, call) => {
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

describe('Retry-After', () => {
  it.each([
    [429, undefined],
    [503, undefined],
    [503, '<html>Busy</html>'],
  ])('of a %i with the body %s is never waited for in a worker: it is for the queue', async (status, body) => {
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
  });
});

describe('the clients', () => {
  it('have no SDK client without the options that limit its calls', () => {
    const src = join(import.meta.dirname, '../../src');
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const made = files.flatMap((file) =>
      [...readFileSync(join(src, file), 'utf8').matchAll(/new (\w+Client)\(([^;]*?)\);?\n/g)].map(
        ([all]) => [file, all] as const,
      ),
    );
    expect(made.length).toBeGreaterThan(9);
    const unlimited = made.filter(([, all]) => !/armOptions|callOptions|options\)|pipeline\)|tryTimeoutInMs/.test(all));
    expect(unlimited).toEqual([]);
  });

  it('have limits that end well before the host ends a function', () => {
    for (const { requestMs, writeMs = 0 } of Object.values<{ requestMs: number; writeMs?: number }>(LIMITS)) {
      expect(Math.max(requestMs, writeMs)).toBeLessThanOrEqual(60_000);
    }
  });
});
