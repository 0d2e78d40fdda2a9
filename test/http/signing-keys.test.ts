import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/http/caller.ts';
import { ON_ANY_MACHINE } from '../support/eventually.ts';
import { bearer, makeKey, NOW, startTenant, type Tenant } from './tenant.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

let tenant: Tenant;
let elapsed = 0;
beforeEach(async () => {
  tenant = await startTenant();
  elapsed = 0;
});
afterEach(async () => {
  vi.useRealTimers();
  await tenant.close();
});

/** Ages of cached keys are measured by the process clock; only that one is moved. */
function pass(milliseconds: number): void {
  elapsed += milliseconds;
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 24) + elapsed });
}

function start(options: Parameters<typeof createAuthenticator>[1] = {}) {
  pass(0);

  const failures: string[] = [];
  const authenticate = createAuthenticator(tenant.config, {
    ...options,
    onRefusal: (reason, message) => failures.push(`${reason} ${message}`),
  });

  /** The reason of the refusal, or `ok`. */
  const call = async (token: string) =>
    authenticate(bearer(token), NOW).then(
      () => 'ok',
      (error: { reason?: string }) => error.reason,
    );

  return { call, failures };
}

describe('signing keys', () => {
  it('Signing keys are fetched once for many calls, simultaneous ones too', async () => {
    const { call } = start();
    const token = await tenant.issue();
    expect(await Promise.all(Array.from({ length: 10 }, () => call(token)))).toEqual(Array(10).fill('ok'));
    expect(await call(token)).toBe('ok');
    expect(tenant.requests()).toBe(1);
  });

  it('Signing keys of a rotation are fetched for the first token that needs them', async () => {
    const { call } = start();
    const old = await tenant.issue();
    expect(await call(old)).toBe('ok');
    await tenant.rotate('key-2');
    pass(31 * SECOND);
    expect(await call(await tenant.issue())).toBe('ok');
    expect(await call(old)).toBe('ok');
    expect(tenant.requests()).toBe(2);
  });

  it('Signing keys are fetched once for made-up key ids, and then not before the cooldown ends', async () => {
    const { call } = start();
    expect(await call(await tenant.issue())).toBe('ok');

    pass(31 * SECOND);

    for (const kid of ['x1', 'x2', 'x3', 'x4']) {
      expect(await call(await tenant.issue({ kid }))).toBe('TokenInvalid');
    }

    expect(tenant.requests()).toBe(2);

    pass(31 * SECOND);

    expect(await call(await tenant.issue({ kid: 'x5' }))).toBe('TokenInvalid');
    expect(tenant.requests()).toBe(3);
  });

  it('Signing keys that cannot be fetched reject every call with 503, and the log has the cause', async () => {
    const { call, failures } = start();
    tenant.setAnswer({ status: 500, body: 'oops' });
    expect(await call(await tenant.issue())).toBe('SigningKeysUnavailable');
    expect(failures).toEqual([expect.stringMatching(/^SigningKeysUnavailable Expected 200 OK/)]);
  });

  it.each([
    ['a page of a proxy', '<html>sign in</html>'],
    ['something else', '{"error":"x"}'],
    ['null', 'null'],
  ])('Signing keys that turn out to be %s are unavailable', async (_, body) => {
    const { call } = start();
    tenant.setAnswer({ status: 200, body });
    expect(await call(await tenant.issue())).toBe('SigningKeysUnavailable');
  });

  it('Signing keys in the cache are valid for a day while the sign-in host is down', async () => {
    const { call, failures } = start();
    const token = await tenant.issue();
    expect(await call(token)).toBe('ok');
    tenant.setAnswer({ status: 503, body: '' });
    pass(23 * HOUR);
    expect(await call(token)).toBe('ok');
    await vi.waitFor(() => expect(failures).toHaveLength(1), ON_ANY_MACHINE);
    pass(2 * HOUR);
    expect(await call(token)).toBe('SigningKeysUnavailable');
  });

  it('Signing keys older than an hour are fetched again without a call waiting for it', async () => {
    const { call } = start();
    const token = await tenant.issue();
    expect(await call(token)).toBe('ok');
    const other = await makeKey('key-9');
    tenant.setAnswer({ status: 200, body: JSON.stringify({ keys: [other.jwk] }) });
    pass(HOUR + SECOND);
    expect(await call(token)).toBe('ok');
    await vi.waitFor(async () => expect(await call(token)).toBe('TokenInvalid'), ON_ANY_MACHINE);
    expect(tenant.requests()).toBe(2);
  });

  it('Signing keys whose host hangs are aborted in time', async () => {
    const { call } = start({
      timeoutMs: 50,
      fetch: (_, init) =>
        new Promise((_resolve, reject) => {
          init.signal.addEventListener('abort', () => reject(init.signal.reason));
        }),
    });
    expect(await call(await tenant.issue())).toBe('SigningKeysUnavailable');
  });
});
