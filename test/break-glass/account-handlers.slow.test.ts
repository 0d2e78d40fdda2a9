import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { accountOfCall, revocableOfCall } from '../../src/break-glass/account-of-call.ts';
import { handleAccountRestore } from '../../src/break-glass/handle-account-restore.ts';
import { dryRunAccount, handleAccountRevoke } from '../../src/break-glass/handle-account-revoke.ts';
import { callOf } from '../../src/break-glass/to-json.ts';
import type { RouteKey } from '../../src/http/access.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import { formatAccountRevocation, readAccountRevocations } from '../../src/revocation/account-record.ts';
import { wordOf } from '../../src/revocation/account-trail.ts';
import { IF_KILLED, SECOND_LOOKS } from '../../src/revocation/look-message.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { person } from './break-glass-fixture.ts';

const wire = useWire();
const WHY = { reason: 'testing' };
const broken = () => Promise.reject(new Error('The service is unwell.'));

/** An account with an identity of its own, and what the handlers are given, with what goes into the audit trail. */
function site(change: (real: Services) => Partial<Services> = () => ({}), env: Record<string, string> = {}) {
  const key = new TestKey(wire.azure.world);
  const account = key.account('pinned', { identity: undefined as never });
  const entries: AuditEntry[] = [];
  const real = wire.services(env);
  const services: Services = {
    ...real,
    audit: async (entry) => {
      entries.push(JSON.parse(JSON.stringify(entry)));
      return { failed: 'not looked at here' };
    },
    accountTrail: async (resource) => entries.flatMap((one) => wordOf(one, resource, wire.azure.clock.now()) ?? []),
    ...change(real),
  };
  const revocable = async (of = services) => revocableOfCall(await accountOfCall(account.name, of), 'identity', of);
  const by = (name: string) => callOf(person(name), randomUUID(), WHY);
  const open = () => readAccountRevocations(account.tags, wire.azure.clock.now()).open[0]?.id ?? 'none';
  return {
    key,
    account,
    entries,
    services,
    open,
    revocable,
    revoke: async (who = 'alice') =>
      handleAccountRevoke(await revocable(), { ...WHY, confirm: account.name }, by(who), services, wire.log),
    restore: async (who = 'bob', of = services, revocation = open(), requireOn: (one: RouteKey) => void = () => {}) =>
      handleAccountRestore(await revocable(of), { revocation }, by(who), requireOn, of, wire.log),
  };
}

const rolesOf = ({ account }: { readonly account: StorageAccount }) =>
  [...wire.azure.world.roleAssignments.values()].filter(
    ({ principalId }) => principalId === account.identity?.principalId,
  );

/** Its role on the key alone, and not on the vault. */
function confineToKey({ account, key }: { readonly account: StorageAccount; readonly key: TestKey }): void {
  const { roleAssignments } = wire.azure.world;
  for (const [id, role] of [...roleAssignments]) {
    if (role.principalId !== account.identity?.principalId) continue;
    roleAssignments.delete(id);
    const scope = `${key.vault.id}/keys/${key.name}`;
    const moved = `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
    roleAssignments.set(moved.toLowerCase(), { ...role, id: moved, scope });
  }
}

type Site = ReturnType<typeof site>;

describe('what is not done whole', () => {
  it('is no success of a revocation: it is answered, and recorded, as what it is', async () => {
    const { revoke, entries } = site(({ keyRoles }) => ({ keyRoles: { ...keyRoles, remove: broken } }));
    await expect(revoke()).rejects.toMatchObject({
      status: 502,
      reason: 'AccountRevocationIncomplete',
      extensions: { complete: false, failures: [{ kind: 'role' }], warnings: [expect.stringContaining('audit')] },
    });
    expect(entries).toMatchObject([{ action: 'account.revoke', reason: 'AccountRevocationIncomplete' }]);
  });

  it('is no success of a restore either', async () => {
    const { revoke, restore, entries, services } = site();
    await revoke();
    const failing = { ...services, keyRoles: { ...services.keyRoles, giveBack: broken } };
    await expect(restore('bob', failing)).rejects.toMatchObject({
      status: 502,
      reason: 'AccountRestoreIncomplete',
      extensions: { complete: false, warnings: [expect.stringContaining('audit')] },
    });
    expect(entries.map(({ reason }) => reason)).toEqual(['AccountRevoked', 'AccountRestoreIncomplete']);
  });

  it('is on record of a restore that was overtaken', async () => {
    const { revoke, restore, entries, services } = site();
    await revoke();
    let isFirst = true;
    const find: typeof services.keyRoles.find = async (...of) => {
      if (isFirst) {
        isFirst = false;
        await revoke('dave');
      }
      return services.keyRoles.find(...of);
    };
    const overtaken = { ...services, keyRoles: { ...services.keyRoles, find } };
    await expect(restore('bob', overtaken)).rejects.toMatchObject({ status: 409, reason: 'RestoreOvertaken' });
    expect(entries.map(({ reason }) => reason)).toEqual(['AccountRevoked', 'AccountRevoked', 'RestoreOvertaken']);
  });
});

it('an account is looked at again once it was revoked, once it was restored, and should the process die meanwhile', async () => {
  const { revoke, restore, account } = site();
  const looks = () => {
    const sent = wire.sent.splice(0).map(({ work, delaySeconds }) => ({ work, delaySeconds }));
    const about = sent.filter(({ work }) => 'account' in work && work.account === account.id);
    return {
      now: about.filter(({ work }) => work.kind === 'account').map(({ delaySeconds }) => delaySeconds),
      later: about.flatMap(({ work, delaySeconds }) =>
        work.kind === 'accountRevocation' ? [`${work.done?.did} ${delaySeconds}`] : [],
      ),
    };
  };
  const wanted = (did: string) => ({ now: [0], later: [...IF_KILLED, ...SECOND_LOOKS].map((at) => `${did} ${at}`) });
  await revoke();
  expect(looks()).toEqual(wanted('revoke'));
  await restore();
  expect(looks()).toEqual(wanted('restore'));
});

it("that it is the app's own storage is said before it is revoked and after", async () => {
  const { account, services, revocable, revoke } = site();
  const { settings } = wire.services({ AzureWebJobsStorage: '', AzureWebJobsStorage__accountName: account.name });
  const OWN = expect.stringContaining("the app's own storage");
  const own = { ...services, settings };
  expect((await dryRunAccount(await revocable(), own)).warnings).toContainEqual(OWN);
  expect((await dryRunAccount(await revocable(), services)).warnings).not.toContainEqual(OWN);
  Object.assign(services, { settings });
  expect((await revoke()).warnings).toContainEqual(OWN);
});

describe('what cannot be read', () => {
  it('of the locks of the vault is said, and nothing else of a dry run', async () => {
    const { revocable, services } = site();
    wire.azure.faults.add([{ match: { path: '/Microsoft.Authorization/locks' }, answer: { status: 403 } }]);
    const { warnings } = await dryRunAccount(await revocable(), services);
    expect(warnings).toEqual([expect.stringContaining('The locks of kv-files could not be read')]);
  });

  it('of the account is a lack of the right to, where it is one', async () => {
    const { revocable, account } = site();
    const match = { path: `/storageAccounts/${account.name}\\?` };
    wire.azure.faults.add([{ match, answer: { status: 403, body: { error: { code: 'AuthorizationFailed' } } } }]);
    await expect(revocable()).rejects.toMatchObject({ status: 502, reason: 'MissingPermission' });
  });
});

it('an account whose identity others have is not revoked, and its dry run says so too', async () => {
  const { account, key, services, revocable, revoke } = site();
  const shared = key.account('pinned').identity;
  const chosen = structuredClone(key.account('pinned').encryption.identity);
  Object.assign(account, { identity: shared });
  Object.assign(account.encryption, { identity: chosen });
  await expect(revoke()).rejects.toMatchObject({ reason: 'IdentityShared' });
  await expect(dryRunAccount(await revocable(), services)).rejects.toMatchObject({ reason: 'IdentityShared' });
  expect(account.tags).toEqual({});
});

it('a record of which a piece was lost is not said to be restored', async () => {
  const { revoke, restore, account, open } = site();
  await revoke();
  const id = open();
  account.tags = Object.fromEntries(Object.entries(account.tags).filter(([name]) => !name.endsWith('.2')));
  const unbelieved = { status: 409, reason: 'AccountRecordUnbelieved' };
  await expect(restore('bob', undefined, id)).rejects.toMatchObject(unbelieved);
});

describe('a restore by a role that reaches one key alone', () => {
  /** Somebody who may write tags has the record name a role there too. */
  function grow({ account }: Pick<Site, 'account'>, scope: string, more: object = {}): void {
    const [record] = readAccountRevocations(account.tags, wire.azure.clock.now()).open;
    if (!record) throw new Error('no record');
    const principalId = account.identity?.principalId ?? '';
    const planted = { kind: 'role', name: randomUUID(), scope, principalId, ...more } as const;
    Object.assign(account.tags, formatAccountRevocation({ ...record, took: [...record.took, planted] }));
  }
  const reach =
    ({ key }: Pick<Site, 'key'>) =>
    (one: RouteKey) => {
      if (one.key !== key.name) throw new HttpProblem(403, 'KeyOutOfReach', 'not that one', '');
    };
  const refused = (text: string) => ({
    status: 502,
    reason: 'AccountRestoreIncomplete',
    nextStep: expect.stringContaining('tags'),
    extensions: { failures: [{ error: expect.stringContaining(text) }] },
  });

  it('gives nothing on another key, although the record names it once the restore is under way', async () => {
    const of = site();
    confineToKey(of);
    await of.revoke();
    const other = new TestKey(wire.azure.world);
    const { keyRoles } = of.services;
    const giveBack: typeof keyRoles.giveBack = async (...given) => {
      if (given[0].scope.endsWith(of.key.name)) grow(of, `${other.vault.id}/keys/${other.name}`);
      return keyRoles.giveBack(...given);
    };
    const services = { ...of.services, keyRoles: { ...keyRoles, giveBack } };
    await expect(of.restore('bob', services, of.open(), reach(of))).rejects.toMatchObject(refused(other.name));
    expect(rolesOf(of).map(({ scope }) => scope)).toEqual([`${of.key.vault.id}/keys/${of.key.name}`]);
    const details = of.entries.at(-1)?.details as { readonly refused: unknown };
    expect(details.refused).toMatchObject([{ scope: expect.stringContaining(other.name) }]);
    // Whoever reaches it may, and is told.
    const told = expect.stringMatching(new RegExp(`^Given by the tags of the account alone.*${other.name}`));
    expect((await of.restore('bob', services)).warnings).toContainEqual(told);
    expect(of.account.tags).toEqual({});
  });

  it('gives a role of the whole vault where the audit trail says that the revocation has found it', async () => {
    const of = site();
    await of.revoke();
    const { restore, services, open } = of;
    await expect(restore('bob', { ...services, accountTrail: broken }, open(), reach(of))).rejects.toMatchObject(
      refused('The service is unwell.'),
    );
    expect(rolesOf(of)).toEqual([]);
    expect((await restore('bob', services, open(), reach(of))).warnings).toEqual([
      expect.stringContaining('Not in the audit trail'),
    ]);
    expect(rolesOf(of)).toMatchObject([{ scope: of.key.vault.id }]);
  });

  it.each([
    ['has not found, and names since', false],
    ['was told of by an older record in the tags', true],
  ])('gives none of the whole vault that the revocation %s', async (_, before) => {
    const of = site();
    confineToKey(of);
    await of.revoke();
    if (before) {
      grow(of, of.key.vault.id);
      await of.revoke('dave');
    } else grow(of, of.key.vault.id);
    await expect(of.restore('bob', undefined, of.open(), reach(of))).rejects.toMatchObject(refused('all of kv-files'));
    expect(rolesOf(of).map(({ scope }) => scope)).not.toContain(of.key.vault.id);
  });

  it('gives none of the whole vault without the condition that it had', async () => {
    const of = site();
    const [role] = rolesOf(of);
    Object.assign(role ?? {}, { condition: "@Resource[x] StringEquals 'y'", conditionVersion: '2.0' });
    await of.revoke();
    const [record] = readAccountRevocations(of.account.tags, wire.azure.clock.now()).open;
    const took = record?.took.map((one) => ({ ...one, condition: undefined, conditionVersion: undefined }));
    of.account.tags = { ...(record && formatAccountRevocation({ ...record, took: (took ?? []) as never })) };
    await expect(of.restore('bob', undefined, of.open(), reach(of))).rejects.toMatchObject(refused('all of kv-files'));
    expect(rolesOf(of)).toEqual([]);
  });
});
