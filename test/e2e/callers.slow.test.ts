import { beforeAll, describe, expect, it } from 'vitest';
import { AZURE_CLI_CLIENT_ID, CLIENT_IDS } from '../../local/azure/constants.ts';
import { authContextsIn } from '../../local/azure/entra/grants.ts';
import { enabledOf, keyOf, revocationOn } from '../break-glass/break-glass-fixture.ts';
import { type Answer, type RunningApp, signIn } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { recordsOf } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const startApp = useApps(wire);

interface How {
  readonly claims?: Record<string, unknown>;
  readonly authContexts?: readonly string[];
  readonly clientId?: string;
}

function tokenOf(name: string, how: How = {}): { readonly token: string } {
  return wire.azure.tokens.issue(signIn(wire.azure, name), 'api://cmk-autopilot', how);
}

/** Calls as somebody, with a token that differs from theirs by what is given. */
function caller(app: RunningApp, key: TestKey, who: string, how: How = {}) {
  const path = `/keys/${key.vault.name}/${key.name}`;
  const as = tokenOf(who, how);
  return {
    status: () => app.call(path, { as }),
    dryRun: () => app.call(`${path}/revoke?dryRun=true`, { as, method: 'POST' }),
    revoke: () =>
      app.call(`${path}/revoke`, {
        as,
        method: 'POST',
        body: { reason: 'A laptop was stolen', confirm: `${key.vault.name}/${key.name}` },
      }),
    restore: (revocation = revocationOn(key)) =>
      app.call(`${path}/restore`, { as, method: 'POST', body: { reason: 'The laptop is back', revocation } }),
  };
}

const outcome = ({ status, body }: Answer): string => `${status} ${body.reason}`;

/** Everything of a refusal but what names the one call. */
function sameRefusal({ status, headers, body }: Answer): unknown {
  const { correlationId, instance, ...rest } = body;
  return { status, challenge: headers.get('www-authenticate'), ...rest };
}

describe('with the settings of a deployment', () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startApp();
  });

  it('an application does not restore what a person revoked, though it has the role', async () => {
    const key = keyOf(wire.azure, 2);
    expect(outcome(await caller(app, key, 'revoker').revoke())).toBe('200 Revoked');
    const refused = await caller(app, key, 'robot').restore();
    expect(outcome(refused)).toBe('403 PersonNeeded');
    expect(enabledOf(key)).toEqual([false, false]);
    expect(outcome(await caller(app, key, 'restorer').restore())).toBe('200 Restored');
    expect(enabledOf(key)).toEqual([true, true]);
  });

  it('a token with another delegated scope opens nothing', async () => {
    const key = keyOf(wire.azure, 1);
    for (const scp of ['user_impersonation', 'openid profile', 'access_as_user2']) {
      const other = caller(app, key, 'operator', { claims: { scp } });
      expect(outcome(await other.revoke())).toBe('403 ScopeMissing');
      expect(outcome(await other.status())).toBe('403 ScopeMissing');
    }
    expect(enabledOf(key)).toEqual([true]);
  });

  it.each([
    ['app', 'access_as_user'],
    ['user', undefined],
  ])('a token of which it cannot be told who calls opens nothing: idtyp %s, scp %s', async (idtyp, scp) => {
    const key = keyOf(wire.azure, 1);
    const unclear = caller(app, key, 'operator', { claims: { idtyp, scp } });
    expect(outcome(await unclear.revoke())).toBe('401 TokenKindUnclear');
    expect(enabledOf(key)).toEqual([true]);
  });

  it('a person whose token says "app" is no application either', async () => {
    const key = keyOf(wire.azure, 1);
    const forged = caller(app, key, 'operator', { claims: { idtyp: 'app', scp: undefined, azpacr: '0' } });
    expect(outcome(await forged.restore('cafe'))).toBe('401 TokenKindUnclear');
  });

  it('every call is logged with who made it: kind, client, address, key, correlation id', async () => {
    const key = keyOf(wire.azure, 1);
    const name = `${key.vault.name}/${key.name}`;
    const answers = [
      await caller(app, key, 'revoker').status(),
      await caller(app, key, 'revoker').dryRun(),
      await caller(app, key, 'outsider').status(),
      await caller(app, key, 'robot').restore('cafe'),
      await app.call('/drift', { as: 'revoker', headers: { 'x-forwarded-for': '198.51.100.7, 203.0.113.9:4711' } }),
    ];
    const person = (who: string) => ({
      caller: signIn(wire.azure, who).objectId,
      kind: 'person',
      client: AZURE_CLI_CLIENT_ID,
    });
    const records = await eventually('the last call is logged', () => {
      // Passes that are under way write records too.
      const calls = recordsOf(app.output().split('\n')).filter(({ reason }) => String(reason).startsWith('Call'));
      const found = calls.slice(-answers.length);
      return found.at(-1)?.function === 'driftReport' && found;
    });
    expect(records).toMatchObject([
      { function: 'keyStatus', reason: 'CallAnswered', ...person('revoker'), key: name, status: 200 },
      { function: 'revokeKey', reason: 'CallAnswered', ...person('revoker'), key: name, status: 200 },
      { function: 'keyStatus', reason: 'CallRefused', ...person('outsider'), key: name, because: 'RoleMissing' },
      {
        function: 'restoreKey',
        reason: 'CallRefused',
        caller: signIn(wire.azure, 'robot').objectId,
        kind: 'application',
        client: CLIENT_IDS.robot,
        key: name,
        because: 'PersonNeeded',
        correlationId: answers[3]?.body.correlationId,
      },
      { function: 'driftReport', ...person('revoker'), address: '203.0.113.9:4711' },
    ]);
    for (const record of records)
      expect(record).toMatchObject({ correlationId: expect.stringMatching(/^[\w-]{20,}$/) });
  });
});

it('a flood of rejected calls has ten lines of its own, and one that counts the rest with caller, call and reason', async () => {
  const app = await startApp();
  const key = keyOf(wire.azure, 1);
  const path = `/keys/${key.vault.name}/${key.name}`;
  const strange = (n: number) => app.call(path, { headers: { 'x-forwarded-for': `203.0.113.9:${n}` } });
  await Promise.all(Array.from({ length: 40 }, (_, n) => strange(n)));
  const { objectId } = signIn(wire.azure, 'outsider');
  await Promise.all(Array.from({ length: 30 }, () => app.call(path, { as: 'outsider' })));
  await app.stop('SIGTERM');
  const records = recordsOf(app.output().split('\n'));
  expect(records.filter(({ because, calls }) => because === 'TokenMissing' && !calls)).toHaveLength(10);
  expect(
    records.filter(({ because, caller, calls }) => because === 'RoleMissing' && caller === objectId && !calls),
  ).toHaveLength(10);
  const counted = [...app.output().matchAll(/(\{"level":"warning","reason":"CallsRefused".*\})$/gm)].map(([line]) =>
    JSON.parse(line),
  );
  expect(counted).toHaveLength(2);
  expect(counted).toMatchObject([
    { calls: 30, call: 'keyStatus', because: 'TokenMissing' },
    { calls: 20, call: 'keyStatus', because: 'RoleMissing', caller: objectId, kind: 'person' },
  ]);
});

describe('with a list of clients (CMK_CLIENTS) and of applications that restore', () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startApp({
      CMK_CLIENTS: `${AZURE_CLI_CLIENT_ID}, ${CLIENT_IDS.robot}`,
      CMK_RESTORE_APPLICATIONS: CLIENT_IDS.robot.toUpperCase(),
    });
  });

  it('a token that another client got opens nothing, with every role', async () => {
    const key = keyOf(wire.azure, 1);
    const by = caller(app, key, 'operator', { clientId: 'c1100000-0000-4000-8000-00000000beef' });
    for (const refused of [await by.status(), await by.dryRun(), await by.revoke(), await by.restore('cafe')]) {
      expect(outcome(refused)).toBe('403 ClientNotAllowed');
    }
    expect(enabledOf(key)).toEqual([true]);
  });

  it('one that is on it does, and the application on the other list restores', async () => {
    const key = keyOf(wire.azure, 1);
    expect(outcome(await caller(app, key, 'operator').revoke())).toBe('200 Revoked');
    expect(outcome(await caller(app, key, 'robot').restore())).toBe('200 Restored');
  });
});

describe('with a step-up (CMK_STEP_UP)', () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startApp({ CMK_STEP_UP: 'c1' });
  });

  it('a person is told what to ask Entra ID for, and comes through with it', async () => {
    const key = keyOf(wire.azure, 1);
    const plain = caller(app, key, 'revoker');
    expect((await plain.status()).status).toBe(200);
    expect(outcome(await plain.dryRun())).toBe('200 DryRun');
    const refused = await plain.revoke();
    expect(outcome(refused)).toBe('401 StepUpNeeded');
    expect(enabledOf(key)).toEqual([true]);

    const claims = /^Bearer .*error="insufficient_claims".*, claims="([A-Za-z0-9+/=]+)"$/.exec(
      refused.headers.get('www-authenticate') ?? '',
    )?.[1];
    const asked = Buffer.from(claims ?? '', 'base64').toString();
    expect(JSON.parse(asked)).toEqual({ access_token: { acrs: { essential: true, value: 'c1' } } });
    expect(refused.body.claims).toBe(claims);
    const strong = caller(app, key, 'revoker', { authContexts: authContextsIn(asked) });
    expect(outcome(await strong.revoke())).toBe('200 Revoked');

    // Somebody's second identity has the role, and not the step-up.
    expect(outcome(await caller(app, key, 'restorer').restore())).toBe('401 StepUpNeeded');
    expect(outcome(await caller(app, key, 'restorer', { authContexts: ['c2'] }).restore())).toBe('401 StepUpNeeded');
    expect(enabledOf(key)).toEqual([false]);
    expect(outcome(await caller(app, key, 'restorer', { authContexts: ['c1'] }).restore())).toBe('200 Restored');
  });

  it('who lacks the role is told that, and does not step up in vain', async () => {
    const key = keyOf(wire.azure, 1);
    expect(outcome(await caller(app, key, 'outsider').revoke())).toBe('403 RoleMissing');
    expect(outcome(await caller(app, key, 'robot').restore('cafe'))).toBe('403 PersonNeeded');
  });
});

describe('with a role narrowed to a vault (CMK_ROLE_SCOPES)', () => {
  let app: RunningApp;
  beforeAll(async () => {
    const principal = signIn(wire.azure, 'revoker').objectId;
    app = await startApp({
      CMK_ROLE_SCOPES: JSON.stringify([
        { role: 'CmkKey.Revoke', principal, keys: ['kv-files'] },
        { role: 'CmkKey.Read', principal, keys: ['KV-Files'] },
      ]),
    });
  });

  it('a key elsewhere gets the same answer as one that is not there, and stays as it is', async () => {
    const since = wire.azure.requests.last;
    const call = (path: string) =>
      app.call(`/keys/${path}/revoke`, {
        as: 'revoker',
        method: 'POST',
        body: { reason: 'A laptop was stolen', confirm: path },
      });
    const other = await call('kv-records/records-key');
    expect(outcome(other)).toBe('403 KeyOutOfReach');
    expect(wire.azure.requests.since(since).filter(({ host }) => host.endsWith('vault.azure.net'))).toEqual([]);
    for (const path of ['kv-records/no-such-key', 'kv-other/other-key', 'kv-nowhere/key', 'kv-files/no-such-key']) {
      expect(sameRefusal(await call(path))).toEqual(sameRefusal(other));
    }
    const read = (path: string) => app.call(`/keys/${path}`, { as: 'revoker' });
    expect(outcome(await read('kv-records/records-key'))).toBe('403 KeyOutOfReach');
    expect(sameRefusal(await read('kv-files/no-such-key'))).toEqual(sameRefusal(await read('kv-records/records-key')));
    expect(outcome(await app.call('/drift', { as: 'revoker' }))).toBe('403 RoleNarrowed');
  });

  it('a key within it is revoked, and other people are not narrowed', async () => {
    const key = keyOf(wire.azure, 1);
    expect(outcome(await caller(app, key, 'revoker').revoke())).toBe('200 Revoked');
    expect((await app.call('/keys/kv-records/records-key', { as: 'operator' })).status).toBe(200);
    expect((await app.call('/keys/kv-files/no-such-key', { as: 'operator' })).status).toBe(404);
  });
});

describe('with a setting of this kind that is wrong', () => {
  it.each([
    ['CMK_CLIENTS', 'the Azure CLI'],
    ['CMK_STEP_UP', 'mfa'],
    ['CMK_ROLE_SCOPES', '[{"role":"CmkKey.Revoke","key":["kv-files"]}]'],
    ['CMK_ROLE_SCOPES', 'CmkKey.Revoke=kv-files'],
  ])('%s = %s: every call is refused, and the log names it', async (name, value) => {
    const app = await startApp({ [name]: value });
    const answer = await app.call('/keys/kv-files/files-key', { as: 'operator' });
    expect(outcome(answer)).toBe('503 AuthNotConfigured');
    expect(answer.text).not.toContain(name);
    await eventually('the log names it', () => app.output().includes(name));
    await app.stop();
  });
});
