import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyTrouble } from '../../local/azure/file-service/key-access.ts';
import { assignLocalRole, LOCAL_ROLES } from '../../local/azure/key-vault/local-access.ts';
import type { LocalRoleAssignment, LocalRoleDefinition, StorageAccount } from '../../local/azure/world.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { readAccountRevocations } from '../../src/revocation/account-record.ts';
import { type AccountRevocationWork, KEY_WORK } from '../../src/work/messages.ts';
import type { Answer } from '../break-glass/running-app.ts';
import { useRunningApp } from '../break-glass/use-running-app.ts';
import { expectDocumented } from '../support/documented.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

const api = useRunningApp();
const { call, wire } = api;
const ROLES = { host: 'hsm-local.managedhsm.azure.net', path: '/roleAssignments' };

interface Site {
  readonly key: TestKey;
  readonly account: StorageAccount;
}

/** An account with an identity of its own, whose local role is assigned on the key alone. */
function site(scope?: string): Site {
  const key = new TestKey(wire.azure.world, 'hsm-local');
  const account = key.account('pinned', { identity: undefined as never, shares: ['share1'] });
  const [role] = rolesOf({ account });
  if (!role) throw new Error('It has no role.');
  access().roleAssignments.delete(role.name);
  assign(account, LOCAL_ROLES.encryptionUser, scope ?? `/keys/${key.name}`);
  return { key, account };
}
function access() {
  const { local } = wire.azure.world.managedHsms.get('hsm-local') ?? {};
  if (!local) throw new Error('There is no Managed HSM.');
  return local;
}
const principalOf = ({ identity }: StorageAccount) => identity?.principalId ?? '';
const rolesOf = ({ account }: Pick<Site, 'account'>): LocalRoleAssignment[] =>
  structuredClone(
    [...access().roleAssignments.values()].filter(({ principalId }) => principalId === principalOf(account)),
  );
function assign(account: StorageAccount, role: LocalRoleDefinition, scope = '/keys', name: string = randomUUID()) {
  return assignLocalRole(access(), { principalId: principalOf(account), role, scope, name });
}
const openOn = ({ account }: Site) => readAccountRevocations(account.tags, wire.azure.clock.now()).open;

async function revoke({ account }: Site, as = 'revoker', query = ''): Promise<Answer> {
  const body = { reason: 'One share is being copied', confirm: account.name };
  const answer = await call(`/accounts/${account.name}/revoke${query}`, { method: 'POST', as, body });
  expectDocumented(answer, 'revokeAccount', api.document);
  return answer;
}
async function restore(of: Site, as = 'restorer'): Promise<Answer> {
  const body = { reason: 'It was a backup', revocation: openOn(of)[0]?.id ?? 'none' };
  const answer = await call(`/accounts/${of.account.name}/restore`, { method: 'POST', as, body });
  expectDocumented(answer, 'restoreAccount', api.document);
  return answer;
}
/** The message of a drift check for an app that is not up. */
async function orderedLook({ account }: Site): Promise<string> {
  const { peekedMessageItems } = await wire.queues.getQueueClient(KEY_WORK).peekMessages({ numberOfMessages: 32 });
  const looks = peekedMessageItems.filter(({ messageText }) => {
    const { kind, account: about = '', cause } = JSON.parse(messageText) as Partial<AccountRevocationWork>;
    return kind === 'accountRevocation' && about.endsWith(`/${account.name}`) && cause?.by === 'drift';
  });
  expect(looks).toHaveLength(1);
  return looks[0]?.messageId ?? '';
}
function isCarriedOut(messageId: string): boolean {
  const [, id] = new RegExp(`MessageId=${messageId}, DequeueCount=1, Id=(\\S+)\\)`).exec(api.output()) ?? [];
  return id !== undefined && api.output().includes(`(Succeeded, Id=${id}, `);
}
const status = async ({ account }: Site) => (await call(`/accounts/${account.name}`, { as: 'revoker' })).body;
const outcome = ({ status: code, body }: Answer): string => `${code} ${body.reason}`;

describe('one account on a key of a Managed HSM', () => {
  it('is cut off by its local role, and gets exactly that back by a second person', async () => {
    const of = site();
    const [before] = rolesOf(of);
    const scope = `/keys/${of.key.name}`;
    const dry = await revoke(of, 'revoker', '?dryRun=true');
    expect(dry.body).toMatchObject({
      reason: 'DryRun',
      takes: [{ kind: 'localRole', name: before?.name, scope, hsm: 'https://hsm-local.managedhsm.azure.net' }],
      warnings: [],
    });
    expect(JSON.stringify(dry.body.notDocumented)).toContain('How long a local role counts');
    expect(JSON.stringify(dry.body.stops)).not.toContain('other keys');
    expect(rolesOf(of)).toEqual([before]);

    const revoked = await revoke(of);
    expect(revoked.body).toMatchObject({ reason: 'AccountRevoked', complete: true, audit: 'written', failures: [] });
    expect(rolesOf(of)).toEqual([]);
    expect(keyTrouble(wire.azure.world, of.account)).toBe('noAccess');
    expect((await status(of)).revocations).toMatchObject([{ id: revoked.body.revocation?.id, held: true }]);

    expect(outcome(await restore(of, 'robot'))).toBe('403 PersonNeeded');
    await revoke(of, 'operator');
    expect(outcome(await restore(of, 'operator'))).toBe('403 SecondPersonNeeded');
    expect((await restore(of)).body).toMatchObject({ reason: 'AccountRestored', complete: true, audit: 'written' });
    expect(rolesOf(of)).toEqual([before]);
    expect(keyTrouble(wire.azure.world, of.account)).toBeUndefined();
    expect(openOn(of)).toEqual([]);
  });

  it('loses what it has on all keys as well, which is said before', async () => {
    const of = site('/keys');
    assign(of.account, LOCAL_ROLES.encryptionUser, `/keys/${of.key.name}`);
    const before = rolesOf(of);
    expect(JSON.stringify((await revoke(of, 'revoker', '?dryRun=true')).body.stops)).toContain(
      'with other keys of hsm-local',
    );
    expect(outcome(await revoke(of))).toBe('200 AccountRevoked');
    expect(rolesOf(of)).toEqual([]);
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
    const byName = (a: LocalRoleAssignment, b: LocalRoleAssignment) => a.name.localeCompare(b.name);
    expect(rolesOf(of).sort(byName)).toEqual(before.sort(byName));
  });

  it('stays revoked: the drift check finds no role lacking, and says whose hand has given it again', async () => {
    const of = site();
    await revoke(of);
    const check = async () => {
      wire.azure.clock.advance(2 * 3_600_000);
      const report = await runDriftCheck({ id: randomUUID(), by: 'timer' }, wire.services(), wire.log);
      return report.findings.filter(({ resource }) => resource.includes(of.account.name)).map(({ reason }) => reason);
    };
    expect(await check()).toEqual(['AccountRevocationOpen']);
    expect(rolesOf(of)).toEqual([]);
    const given = assign(of.account, LOCAL_ROLES.encryptionUser);
    await api.kill();
    expect(await check()).toContain('AccountRevocationNotHeld');
    const look = await orderedLook(of);
    await api.start();
    await eventually('the look has gone by', () => isCarriedOut(look));
    expect(rolesOf(of)).toEqual([given]);
    expect((await status(of)).revocations).toMatchObject([{ held: false }]);
    // Revoked again it is in the record, and comes back with the rest.
    expect(outcome(await revoke(of))).toBe('200 AccountRevoked');
    expect(rolesOf(of)).toEqual([]);
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
    expect(rolesOf(of)).toHaveLength(2);
  });

  it.each<[string, (of: Site) => void, RegExp]>([
    ['another role', ({ account }) => void assign(account, LOCAL_ROLES.cryptoUser), /by another role/],
    [
      'a role of your own',
      ({ account }) => {
        const role = {
          ...LOCAL_ROLES.encryptionUser,
          name: randomUUID(),
          roleName: 'Ours',
          type: 'CustomRole',
        } as const;
        access().roleDefinitions.set(role.name, role);
        assign(account, role);
      },
      /by another role/,
    ],
  ])('is refused, and nothing is changed, when it reaches its key by %s', async (_, change, why) => {
    const of = site();
    change(of);
    const before = rolesOf(of);
    const refused = await revoke(of);
    expect(outcome(refused)).toBe('409 AccountNotRevocable');
    expect(refused.body.detail).toMatch(why);
    expect(rolesOf(of)).toEqual(before);
    expect(of.account.tags).toEqual({});
  });

  it('is not proved to be cut off while others have a role of whom one may be a group, and comes back all the same', async () => {
    const of = site();
    const group = randomUUID();
    const theirs = assignLocalRole(access(), { principalId: group, role: LOCAL_ROLES.cryptoUser, scope: '/' });
    try {
      const dry = await revoke(of, 'revoker', '?dryRun=true');
      expect(JSON.stringify(dry.body.warnings)).toMatch(new RegExp(`It will not be proved.*${group}`));
      const answer = await revoke(of);
      expect(outcome(answer)).toBe('502 AccountRevocationIncomplete');
      expect(answer.body.detail).toContain(group);
      expect(answer.body.nextStep).toMatch(/somebody may be a group that it is in, find that out/);
      expect(rolesOf(of)).toEqual([]);
      expect((await status(of)).revocations).toMatchObject([{ held: 'unknown' }]);
      expect(outcome(await restore(of))).toBe('200 AccountRestored');
      expect(rolesOf(of)).toHaveLength(1);
    } finally {
      access().roleAssignments.delete(theirs.name);
    }
  });

  it('is not proved to be cut off while its key is deleted, whose own assignments are not to be seen', async () => {
    const of = site();
    const before = rolesOf(of);
    const gone = { status: 404, body: { error: { code: 'KeyNotFound', message: 'The key is deleted.' } } };
    const path = `/keys/${of.key.name}/providers/`;
    wire.azure.faults.add([{ match: { host: ROLES.host, path }, answer: gone }]);
    expect(JSON.stringify((await revoke(of, 'revoker', '?dryRun=true')).body.warnings)).toContain('KeyNotFound');
    const revoked = await revoke(of);
    expect(outcome(revoked)).toBe('502 AccountRevocationIncomplete');
    expect(revoked.body.detail).toContain('KeyNotFound');
    expect((await status(of)).revocations).toMatchObject([{ held: 'unknown' }]);
    // The key is recovered.
    wire.azure.faults.clear();
    expect((await status(of)).revocations).toMatchObject([{ held: false }]);
    expect(outcome(await revoke(of))).toBe('200 AccountRevoked');
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
    expect(rolesOf(of)).toEqual(before);
  });

  it('is refused when a role of your own lets it use keys since a moment ago', async () => {
    const of = site();
    const role = { ...LOCAL_ROLES.encryptionUser, name: randomUUID(), roleName: 'Ours', type: 'CustomRole' } as const;
    access().roleDefinitions.set(role.name, {
      ...role,
      dataActions: ['Microsoft.KeyVault/managedHsm/keys/sign/action'],
    });
    assign(of.account, role);
    expect(outcome(await revoke(of, 'revoker', '?dryRun=true'))).toBe('200 DryRun');
    access().roleDefinitions.set(role.name, role);
    expect(outcome(await revoke(of))).toBe('409 AccountNotRevocable');
    expect(rolesOf(of)).toHaveLength(2);
  });

  it.each<[string, object, RegExp]>([
    [
      'are refused',
      { answer: { status: 403, body: { error: { code: 'AccessDenied', message: 'Not authorized' } } } },
      /MissingPermission/,
    ],
    ['are never answered', { hang: true }, /ServiceUnavailable/],
    ['break off', { reset: true }, /ServiceUnavailable/],
  ])('is left alone where the lists of local roles %s', async (_, effect, reason) => {
    const of = site();
    wire.azure.faults.add([{ match: { ...ROLES, method: 'GET' }, ...effect }]);
    const refused = await revoke(of);
    expect(outcome(refused)).toMatch(new RegExp(`^502 ${reason.source}`));
    expect(rolesOf(of)).toHaveLength(1);
    expect(of.account.tags).toEqual({});
  });

  it('is left alone, without a record, where the app may not take roles away, and it is said what is lacking', async () => {
    const of = site();
    const role = [...access().roleDefinitions.values()].find(({ roleName }) => /account revoker/.test(roleName));
    const { dataActions = [] } = role ?? {};
    Object.assign(role ?? {}, { dataActions: [] });
    try {
      const refused = await revoke(of);
      expect(outcome(refused)).toBe('502 MissingPermission');
      expect(refused.body.nextStep).toContain('Microsoft.KeyVault/managedHsm/roleAssignments/delete/action');
      expect(rolesOf(of)).toHaveLength(1);
      expect(of.account.tags).toEqual({});
    } finally {
      Object.assign(role ?? {}, { dataActions });
    }
  });

  it('is revoked and restored once although answers are lost', async () => {
    const of = site();
    const [before] = rolesOf(of);
    wire.azure.faults.add([{ match: { ...ROLES, method: 'DELETE' }, times: 1, resetAfter: true }]);
    expect(outcome(await revoke(of))).toBe('200 AccountRevoked');
    expect(rolesOf(of)).toEqual([]);
    wire.azure.faults.add([{ match: { ...ROLES, method: 'PUT' }, times: 1, resetAfter: true }]);
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
    expect(rolesOf(of)).toEqual([before]);
  });

  it('is revoked by two at the same moment, and one restore gives everything back', async () => {
    const of = site('/keys');
    const before = rolesOf(of);
    const both = await Promise.all([revoke(of), revoke(of, 'second-operator')]);
    expect(both.map(outcome)).toEqual(['200 AccountRevoked', '200 AccountRevoked']);
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
    expect(rolesOf(of)).toEqual(before);
    expect(openOn(of)).toEqual([]);
  });

  it('gets nothing back by a record of a role in another HSM, or in a vault of the same name', async () => {
    const of = site();
    await revoke(of);
    const { tags } = of.account;
    const forge = (from: string | RegExp, to: string) =>
      Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, value.replace(from, to)]));
    for (const changed of [
      forge('hsm-local.managedhsm', 'hsm-other.managedhsm'),
      forge('hsm-local.managedhsm', 'hsm-local.vault'),
    ]) {
      of.account.tags = changed;
      expect(outcome(await restore(of))).toBe('502 AccountRestoreIncomplete');
      expect(rolesOf(of)).toEqual([]);
    }
    of.account.tags = tags;
    expect(outcome(await restore(of))).toBe('200 AccountRestored');
  });
});
