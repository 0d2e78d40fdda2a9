import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyTrouble } from '../../local/azure/file-service/key-access.ts';
import { assignRole } from '../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { RoleAssignment, StorageAccount } from '../../local/azure/world.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { readAccountRevocations } from '../../src/revocation/account-record.ts';
import { type Answer, type Call, signIn } from '../break-glass/running-app.ts';
import { useRunningApp } from '../break-glass/use-running-app.ts';
import { expectDocumented } from '../support/documented.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';

const api = useRunningApp();
const { call, wire } = api;

type Operation = 'accountStatus' | 'revokeAccount' | 'restoreAccount';
const documented = async (operation: Operation, answer: Promise<Answer>): Promise<Answer> => {
  expectDocumented(await answer, operation, api.document);
  return answer;
};

interface Site {
  readonly key: TestKey;
  readonly account: StorageAccount;
  /** Of its own, system-assigned identity. */
  readonly role: RoleAssignment;
}

/** An account with an identity of its own, whose role is assigned on the key alone, with all that an assignment can say. */
function site(options: Parameters<TestKey['account']>[1] = {}): Site {
  const { world } = wire.azure;
  const key = new TestKey(world);
  const account = key.account('pinned', { identity: undefined as never, shares: ['share1'], ...options });
  const principalId = account.identity?.principalId ?? '';
  const [id, role] = [...world.roleAssignments].find(([, one]) => one.principalId === principalId) ?? [];
  if (!id || !role) throw new Error('no role');
  world.roleAssignments.delete(id);
  const scope = `${key.vault.id}/keys/${key.name}`;
  const mine = {
    ...role,
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`,
    scope,
    description: 'Für die Ablage',
    condition: "@Resource[x] StringEquals 'y'",
    conditionVersion: '2.0',
  };
  world.roleAssignments.set(mine.id.toLowerCase(), mine);
  return { key, account, role: mine };
}

const rolesOf = ({ account }: Pick<Site, 'account'>) =>
  [...wire.azure.world.roleAssignments.values()].filter(
    ({ principalId }) => principalId === account.identity?.principalId,
  );
/** A blob of the account, as somebody with a token for Storage asks for it. */
function blobOf({ account }: Pick<Site, 'account'>, options: RequestInit): Promise<Response> {
  const { token } = wire.azure.tokens.issue(signIn(wire.azure, 'operator'), 'https://storage.azure.com');
  const headers = { ...(options.headers as Record<string, string>), authorization: `Bearer ${token}` };
  return fetch(`https://${account.name}.blob.core.windows.net/data/minutes.txt`, { ...options, headers });
}
const openOn = ({ account }: Pick<Site, 'account'>) =>
  readAccountRevocations(account.tags, wire.azure.clock.now()).open;
const accountPath = ({ account }: Pick<Site, 'account'>, action = '') => `/accounts/${account.name}${action}`;

function revoke(of: Pick<Site, 'account'>, scope?: string, as = 'revoker'): Promise<Answer> {
  const confirm = scope === undefined ? of.account.name : `${of.account.name}/${scope}`;
  const body = { reason: 'One share is being copied', ticket: 'INC-2', confirm, ...(scope ? { scope } : {}) };
  return documented('revokeAccount', call(accountPath(of, '/revoke'), { method: 'POST', as, body }));
}
function restore(of: Site, revocation = openOn(of)[0]?.id ?? 'none', as = 'restorer'): Promise<Answer> {
  const body = { reason: 'It was a backup', revocation };
  return documented('restoreAccount', call(accountPath(of, '/restore'), { method: 'POST', as, body }));
}
const status = (of: Site): Promise<Answer> => documented('accountStatus', call(accountPath(of), { as: 'revoker' }));
const outcome = ({ status: code, body }: Answer): string => `${code} ${body.reason}`;

describe('one account', () => {
  it('is cut off by its role, with its key left alone, and gets exactly that role back by a second person', async () => {
    const of = site();
    const { role, key, account } = of;
    const before = structuredClone(role);
    account.tags = { owner: 'finance' };

    const dry = await documented(
      'revokeAccount',
      call(accountPath(of, '/revoke?dryRun=true'), { method: 'POST', as: 'revoker' }),
    );
    expect(dry.body).toMatchObject({ reason: 'DryRun', takes: [{ kind: 'role', scope: role.scope }] });
    expect(JSON.stringify(dry.body.stops)).toContain('share1');
    expect(JSON.stringify(dry.body.goesOn)).toContain('every other account');
    expect(JSON.stringify(dry.body.notDocumented)).toContain('no figure is published');
    expect(rolesOf(of)).toEqual([before]);

    const revoked = await revoke(of);
    expect(revoked.body).toMatchObject({ reason: 'AccountRevoked', complete: true, audit: 'written', failures: [] });
    expect(rolesOf(of)).toEqual([]);
    // The file service refuses, as Storage does.
    expect(keyTrouble(wire.azure.world, account)).toBe('noAccess');
    expect(openOn(of)).toMatchObject([{ revokedBy: signIn(wire.azure, 'revoker').objectId, part: 'identity' }]);
    expect(account.tags.owner).toBe('finance');
    expect(key.vault.keys.get(key.name)?.versions.every(({ enabled }) => enabled)).toBe(true);
    expect((await status(of)).body.revocations).toMatchObject([{ id: revoked.body.revocation?.id, held: true }]);

    expect(outcome(await restore(of, 'cafe'))).toBe('409 OtherRevocation');
    await revoke(of, undefined, 'operator');
    expect(outcome(await restore(of, revoked.body.revocation?.id))).toBe('409 OtherRevocation');
    expect(outcome(await restore(of, undefined, 'operator'))).toBe('403 SecondPersonNeeded');
    expect(rolesOf(of)).toEqual([]);

    const restored = await restore(of);
    expect(restored.body).toMatchObject({ reason: 'AccountRestored', complete: true, audit: 'written' });
    const { createdMs: _, createdBy: __, ...given } = rolesOf(of)[0] ?? {};
    expect(before).toMatchObject(given);
    expect(given).toMatchObject({ id: before.id, description: 'Für die Ablage', condition: before.condition });
    expect(keyTrouble(wire.azure.world, account)).toBeUndefined();
    expect(account.tags).toEqual({ owner: 'finance' });
    const { body: trail } = await call(`/audit?action=account&account=${account.name}`, { as: 'operator' });
    const entries = (trail.value as { entry: { action: string; reason: string } }[]).map(({ entry }) => entry);
    expect(entries.map(({ action, reason }) => `${action} ${reason}`)).toEqual([
      'account.restore AccountRestored',
      'account.revoke AccountRevoked',
      'account.revoke AccountRevoked',
    ]);
    expect(JSON.stringify(entries)).toContain('Für die Ablage');
    expect(outcome(await restore(of, 'cafe'))).toBe('200 NothingToRestore');
  });

  it('is not moved while it is revoked, whoever asks, and is on the newest version once it is restored', async () => {
    const of = site();
    const { key, account } = of;
    await revoke(of);
    const next = key.add();
    wire.azure.clock.advance(2 * 3_600_000);
    // The drift check fixes what is stale by itself; that the message of a look comes all the same changes nothing.
    await runDriftCheck({ id: randomUUID(), by: 'timer' }, wire.services(), wire.log);
    const about = (record: object): boolean => JSON.stringify(record).includes(account.name);
    const found = wire.records.filter(({ cause }) => typeof cause === 'string').filter(about);
    expect(found.map(({ reason }) => reason)).toEqual(['AccountRevocationOpen', 'PinnedVersion']);
    expect(wire.sent.filter(({ work }) => about(work))).toEqual([]);
    const fixed = wire.services();
    await fixed.queue.send('account-work', key.accountWork(account));
    const moved = () => account.encryption.keyvaultproperties?.keyversion;
    await eventually('the account counts as revoked', async () => {
      const { body } = await call(`/fleet/${account.name}`, { as: 'operator' });
      return (body.health as { state?: string } | undefined)?.state === 'Revoked';
    });
    expect(moved()).toBe(key.first.version);
    await restore(of);
    await eventually('the account is moved', () => moved() === next.version);
  });

  it.each<[string, (of: Site) => void, RegExp]>([
    [
      'by a role that is assigned above the vault',
      ({ role }) => {
        const scope = role.scope.slice(0, role.scope.indexOf('/providers/'));
        Object.assign(role, { scope, id: role.id.replace(role.scope, scope) });
      },
      /above the vault/,
    ],
    [
      'by another role',
      ({ role }) => Object.assign(role, { roleDefinitionId: role.roleDefinitionId.replace(/[^/]+$/, OFFICER) }),
      /another role/,
    ],
    [
      'by access policies',
      ({ key }) => Object.assign(key.vault.properties, { enableRbacAuthorization: false }),
      /access policies/,
    ],
    [
      'by a role that ends by itself',
      ({ role }) => Object.assign(role, { endMs: wire.azure.clock.now().getTime() + 3_600_000 }),
      /a role that ends on .*: given back, it would have no end/,
    ],
  ])('is refused, and nothing is changed, when it reaches its key %s', async (_, change, why) => {
    const of = site();
    const { properties } = of.key.vault;
    const rbac = properties.enableRbacAuthorization;
    try {
      change(of);
      const roles = rolesOf(of).length;
      const refused = await revoke(of);
      expect(outcome(refused)).toBe('409 AccountNotRevocable');
      expect(refused.body.detail).toMatch(why);
      expect(rolesOf(of)).toHaveLength(roles);
      expect(of.account.tags).toEqual({});
    } finally {
      properties.enableRbacAuthorization = rbac;
    }
  });

  it('is refused when others have its identity, and they are named', async () => {
    const key = new TestKey(wire.azure.world);
    const account = key.account();
    const refused = await revoke({ account });
    expect(outcome(refused)).toBe('409 IdentityShared');
    expect(refused.body.detail).toMatch(/starchive01/);
    expect(account.tags).toEqual({});
  });

  it.each([
    ['the app may not write tags', /tags\/write/, 'RecordNotWritten'],
    ['the app may not take roles away', /roleAssignments\/delete/, 'MissingPermission'],
  ])('leaves everything as it was when %s, and says what is lacking', async (_, right, reason) => {
    const of = site();
    const roles = [...wire.azure.world.roleDefinitions.values()].filter((one) =>
      one.actions.some((action) => right.test(action)),
    );
    const rights = roles.map((one) => [one, one.actions] as const);
    for (const one of roles) Object.assign(one, { actions: [] });
    try {
      const refused = await revoke(of);
      expect(outcome(refused)).toBe(`502 ${reason}`);
      expect(refused.body.nextStep).toContain('allowAccountRevocation');
      expect(rolesOf(of)).toHaveLength(1);
      expect(of.account.tags).toEqual({});
    } finally {
      for (const [one, actions] of rights) Object.assign(one, { actions });
    }
  });

  it.each([
    ['the write of the record', { path: '/Microsoft.Resources/tags/', method: 'PATCH' }],
    ['taking the role away', { path: '/roleAssignments/', method: 'DELETE' }],
  ])('is revoked once although the answer to %s is lost', async (_, match) => {
    const of = site();
    wire.azure.faults.add([{ match: { host: 'management.azure.com', ...match }, times: 1, resetAfter: true }]);
    expect(outcome(await revoke(of))).toBe('200 AccountRevoked');
    expect(rolesOf(of)).toEqual([]);
    expect(openOn(of)).toHaveLength(1);
  });

  it('is finished by the same call after the process was killed in between, and then by a restore', async () => {
    const of = site();
    const path = '/roleAssignments/';
    wire.azure.faults.add([{ match: { host: 'management.azure.com', method: 'DELETE', path }, hang: true }]);
    void revoke(of).catch(() => {});
    await eventually('the record is written', () => openOn(of).length === 1);
    await api.kill();
    wire.azure.faults.clear();
    await api.start();
    // The record was there before anything was taken: whoever looks sees that it does not hold yet.
    expect((await status(of)).body.revocations).toMatchObject([{ held: false }]);
    expect(rolesOf(of)).toHaveLength(1);
    expect(outcome(await revoke(of, undefined, 'operator'))).toBe('200 AccountRevoked');
    expect(rolesOf(of)).toEqual([]);
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
    expect(rolesOf(of)).toHaveLength(1);
    expect(of.account.tags).toEqual({});
  });

  it('gives nothing back to another identity by a record that somebody has forged', async () => {
    const of = site();
    await revoke(of);
    const forged = randomUUID();
    of.account.tags = Object.fromEntries(
      Object.entries(of.account.tags).map(([name, value]) => [
        name,
        value.replaceAll(of.account.identity?.principalId ?? '', forged),
      ]),
    );
    const refused = await restore(of);
    expect(outcome(refused)).toBe('502 AccountRestoreIncomplete');
    expect(refused.body).toMatchObject({
      nextStep: expect.stringMatching(/^Where account or key have another identity/),
    });
    expect([...wire.azure.world.roleAssignments.values()].filter((one) => one.principalId === forged)).toEqual([]);
  });
});

describe('by rules that are narrower', () => {
  it('a role that reaches other keys alone does not reach it', async () => {
    const strict = await api.startBeside({
      CMK_STEP_UP: '',
      CMK_ROLE_SCOPES: '[{"role":"CmkKey.Revoke","keys":["kv-records"]}]',
    });
    try {
      const of = site();
      const body = { reason: 'testing', confirm: of.account.name };
      const post = (path: string, as: string, more: object) => strict.call(path, { method: 'POST', as, body: more });
      const narrowed = await post(accountPath(of, '/revoke'), 'revoker', body);
      expect(outcome(narrowed)).toBe('403 KeyOutOfReach');
      // As of one that is not there.
      const absent = await post('/accounts/nosuchaccount/revoke', 'revoker', body);
      expect([absent.status, absent.body.detail]).toEqual([narrowed.status, narrowed.body.detail]);
      expect(rolesOf(of)).toHaveLength(1);
    } finally {
      await strict.stop();
    }
  });
});

describe('whoever may not give it back', () => {
  const STEPPED_UP = { authContexts: ['c1'] };
  const tokenOf = (name: string, how: object = {}) =>
    wire.azure.tokens.issue(signIn(wire.azure, name), 'api://cmk-autopilot', how);

  it('is refused for an account as for a key: with what, by whom, how often, how strongly signed in', async () => {
    const strict = await api.startBeside({ CMK_STEP_UP: 'c1' });
    try {
      const of = site();
      await revoke(of, undefined, 'second-operator');
      const body = { reason: 'It was a backup', revocation: openOn(of)[0]?.id };
      const post = async (path: string, name: string, how?: object, sent?: object) =>
        outcome(await strict.call(path, { method: 'POST', as: tokenOf(name, how), ...(sent ? { body: sent } : {}) }));
      const ask = (name: string, how?: object) => post(accountPath(of, '/restore'), name, how, body);
      expect(await ask('robot')).toBe('403 PersonNeeded');
      expect(await ask('revoker', STEPPED_UP)).toBe('403 RoleMissing');
      expect(await ask('restorer', { ...STEPPED_UP, claims: { scp: 'user_impersonation' } })).toBe('403 ScopeMissing');
      expect(await ask('restorer')).toBe('401 StepUpNeeded');
      expect(await ask('second-operator', STEPPED_UP)).toBe('403 SecondPersonNeeded');
      const again = { reason: 'Once more', confirm: of.account.name };
      expect(await post(accountPath(of, '/revoke'), 'revoker', {}, again)).toBe('401 StepUpNeeded');
      expect(rolesOf(of)).toEqual([]);
      await revoke(of, undefined, 'revoker');
      expect(openOn(of)[0]?.id).not.toBe(body.revocation);
    } finally {
      await strict.stop();
    }
  });

  it('learns by no answer which accounts are there, whose role reaches other vaults alone', async () => {
    const keys = ['kv-records'];
    const narrowed = (['CmkKey.Read', 'CmkKey.Revoke', 'CmkKey.Restore'] as const).map((role) => ({ role, keys }));
    const narrow = await api.startBeside({
      CMK_ROLE_SCOPES: JSON.stringify(narrowed),
    });
    try {
      const of = site();
      await revoke(of);
      const revocation = openOn(of)[0]?.id ?? '';
      const names = [of.account.name, 'stfiles01', 'stplain01', 'nosuchaccount', 'no.name'];
      const ask = async (path: string, as: string, body?: object) => {
        const answer = await narrow.call(path, { as, ...(body ? { method: 'POST', body } : {}) });
        const { correlationId, instance, ...rest } = answer.body;
        return JSON.stringify([answer.status, answer.headers.get('www-authenticate'), rest]);
      };
      const all = [
        ...names.map((name) => ask(`/accounts/${name}`, 'revoker')),
        ...names.map((name) => ask(`/accounts/${name}/revoke?dryRun=true`, 'revoker', {})),
        ...names.map((name) => ask(`/accounts/${name}/revoke`, 'revoker', { reason: 'testing', confirm: name })),
        ...names.map((name) => ask(`/accounts/${name}/revoke`, 'revoker', { reason: 'testing', confirm: 'x' })),
        ...names.map((name) => ask(`/accounts/${name}/restore`, 'restorer', { reason: 'testing', revocation })),
      ];
      expect([...new Set(await Promise.all(all))]).toEqual([
        expect.stringMatching(/^\[403,.*"reason":"KeyOutOfReach"/),
      ]);
      expect(openOn(of).map(({ id }) => id)).toEqual([revocation]);
    } finally {
      await narrow.stop();
    }
  });
});

describe('an account that was put onto another key while it was revoked', () => {
  it('gets roles back by whoever reaches the keys that they are on, and of the whole vault that they were on', async () => {
    const of = site();
    const { account, key } = of;
    const next = new TestKey(wire.azure.world);
    const scopes = [{ role: 'CmkKey.Restore', keys: [`${next.vault.name}/${next.name}`] }];
    const narrow = await api.startBeside({
      CMK_STEP_UP: '',
      CMK_ROLE_SCOPES: JSON.stringify(scopes),
    });
    try {
      await revoke(of);
      const body = { reason: 'It was a backup', revocation: openOn(of)[0]?.id };
      const { keyvaultproperties: uses } = account.encryption;
      Object.assign(uses ?? {}, { keyname: next.name, keyversion: next.first.version });
      expect(key.vault).toBe(next.vault);

      const reached = await narrow.call(accountPath(of, '/restore'), { method: 'POST', as: 'restorer', body });
      expect(outcome(reached)).toBe('403 KeyOutOfReach');
      expect(rolesOf(of)).toEqual([]);

      // One whose role was of the whole vault, which is more than theirs: the audit trail has it.
      const whole = { account: next.account('pinned', { identity: undefined as never }) };
      const [role] = rolesOf(whole);
      await revoke(whole);
      const again = { reason: 'It was a backup', revocation: openOn(whole)[0]?.id };
      const back = await narrow.call(accountPath(whole, '/restore'), { method: 'POST', as: 'restorer', body: again });
      expect(back.body).toMatchObject({ reason: 'AccountRestored', audit: 'written', warnings: [] });
      expect(rolesOf(whole).map(({ id: one }) => one)).toEqual([role?.id]);
    } finally {
      await narrow.stop();
    }
  });
});

const OFFICER = '14b46e9e-c2b7-41b4-b07b-48a6ebf60603';

describe('one encryption scope', () => {
  it('is disabled, and enabled again by a second person; its account goes on', async () => {
    const key = new TestKey(wire.azure.world);
    const of = site({ scopes: [{ name: 'scope1', key: key.use() }] });
    const scope = () => of.account.encryptionScopes.get('scope1');
    const before = structuredClone(scope());
    of.account.blobContainers.set('data', { name: 'data', defaultEncryptionScope: undefined, blobs: new Map() });
    assignRole(wire.azure.world, {
      scope: of.account.id,
      principalId: signIn(wire.azure, 'operator').objectId,
      role: BUILT_IN_ROLES['Storage Blob Data Contributor'],
      settled: true,
    });
    const blob = (options: RequestInit = {}) => blobOf(of, options);
    await blob({ method: 'PUT', body: 'minutes', headers: { 'x-ms-encryption-scope': 'scope1' } });
    expect((await blob()).status).toBe(200);
    const dry = await call(accountPath(of, '/revoke?dryRun=true&scope=scope1'), { method: 'POST', as: 'revoker' });
    expect(JSON.stringify(dry.body.goesOn)).toContain('Azure Files has no encryption scopes');
    expect(outcome(await revoke(of, 'scope1'))).toBe('200 AccountRevoked');
    expect(scope()).toMatchObject({ state: 'Disabled', keyVaultProperties: before?.keyVaultProperties });
    expect((await blob()).status).toBe(403);
    expect(keyTrouble(wire.azure.world, of.account)).toBeUndefined();
    expect(rolesOf(of).length).toBeGreaterThan(0);
    expect((await status(of)).body.revocations).toMatchObject([{ scope: 'scope1', held: true }]);
    expect(outcome(await restore(of, undefined, 'revoker'))).toBe('403 RoleMissing');
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
    expect(scope()).toMatchObject({ state: 'Enabled', keyVaultProperties: before?.keyVaultProperties });
    expect(await (await blob()).text()).toBe('minutes');
    expect(of.account.tags).toEqual({});
  });

  it('that was disabled before stays so: a restore gives back what was taken and nothing else', async () => {
    const of = site();
    of.account.encryptionScopes.set('scope1', {
      name: 'scope1',
      source: 'Microsoft.KeyVault',
      state: 'Disabled',
      keyVaultProperties: { keyUri: of.key.id(of.key.first) },
      creationTime: '',
      lastModifiedTime: '',
    });
    expect((await revoke(of, 'scope1')).body).toMatchObject({ reason: 'AccountRevoked', takes: [] });
    expect((await restore(of)).body).toMatchObject({ reason: 'AccountRestored', given: [] });
    expect(of.account.encryptionScopes.get('scope1')?.state).toBe('Disabled');
  });
});

describe('what is refused before anything is read of the account', () => {
  it('is named', async () => {
    const of = site();
    const post = (body: object, query = '', name = of.account.name, as: Call['as'] = 'revoker') =>
      documented('revokeAccount', call(`/accounts/${name}/revoke${query}`, { method: 'POST', as, body }));
    const body = { reason: 'testing', confirm: of.account.name };
    expect(outcome(await post({ ...body, confirm: 'stfiles01' }))).toBe('400 ConfirmationWrong');
    expect(outcome(await post({ ...body, shared: true }))).toBe('400 BodyInvalid');
    expect(outcome(await post({ ...body, scope: '../x' }))).toBe('400 BodyInvalid');
    expect(outcome(await post({ ...body, scope: 'nothere' }))).toBe('404 AccountNotManaged');
    expect(outcome(await post(body, '?scope=scope1'))).toBe('400 QueryInvalid');
    expect(outcome(await post(body, '?dryrun=true'))).toBe('400 QueryInvalid');
    expect(outcome(await post(body, '', 'stplain01'))).toBe('404 AccountNotManaged');
    expect(outcome(await post(body, '', 'nosuchaccount'))).toBe('404 AccountNotManaged');
    expect(outcome(await post(body, '', of.account.name, 'restorer'))).toBe('403 RoleMissing');
    const shown = await documented('accountStatus', call(`${accountPath(of)}?shares=true`, { as: 'revoker' }));
    expect(shown.body).toMatchObject({ shares: [{ name: 'share1' }], access: { ready: 'unknown' }, warnings: [] });
    expect(await documented('accountStatus', call(accountPath(of), { as: 'revoker' }))).not.toHaveProperty(
      'body.shares',
    );
    const misspelled = call(`${accountPath(of)}?share=true`, { as: 'revoker' });
    expect(outcome(await documented('accountStatus', misspelled))).toBe('400 QueryInvalid');
    expect(outcome(await documented('accountStatus', call('/accounts/a.b', { as: 'revoker' })))).toBe(
      '404 AccountNotManaged',
    );
    expect(vaultNamed(wire.azure.world, 'kv-files').keys.has(of.key.name)).toBe(true);
    expect(rolesOf(of)).toHaveLength(1);
  });
});
