import { describe, expect, it } from 'vitest';
import type { RoleAssignment, StorageAccount } from '../../local/azure/world.ts';
import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { type Revocable, readRevocable } from '../../src/identities/revocable.ts';
import { settleBelowKey } from '../../src/identities/settle-below-key.ts';
import { type RevokedPart, readAccountRevocations, revokedPart } from '../../src/revocation/account-record.ts';
import { restoreAccount, revokeAccount } from '../../src/revocation/account-revocation.ts';
import { wordOf } from '../../src/revocation/account-trail.ts';
import type { Services } from '../../src/services.ts';
import { type AccountRevocationWork, parseKeyQueueWork } from '../../src/work/messages.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const ALICE = 'a11ce000-0000-4000-8000-000000000001';
const BOB = 'b0b00000-0000-4000-8000-000000000002';
const callBy = (objectId: string) => ({
  caller: { objectId, appId: 'app' },
  correlationId: 'call-1',
  why: 'One share is being copied',
  ticket: undefined,
});

/** An account with its own identity on the vault, an encryption scope, and an audit trail of its own in memory. */
function site(more: Partial<Services> = {}, vault?: string) {
  const { world, clock } = wire.azure;
  const key = new TestKey(world, vault);
  const account = key.account('pinned', {
    identity: undefined as never,
    scopes: [{ name: 'scope1', key: key.use() }],
  });
  const trail: { readonly entry: AuditEntry; readonly on: Date }[] = [];
  const audit: RecordAudit = async (entry, _waitMs, since) => {
    const isKnown = since && trail.some((one) => one.entry.id !== undefined && one.entry.id === entry.id);
    if (!isKnown) trail.push({ entry: JSON.parse(JSON.stringify(entry)), on: clock.now() });
    return { written: { file: 'f', seq: 1, hash: 'h' } };
  };
  const accountTrail: Services['accountTrail'] = async (resource) =>
    trail.flatMap(({ entry, on }) => wordOf(entry, resource, on) ?? []).reverse();
  const services = { ...wire.services(), audit, accountTrail, sleep: async () => {}, ...more };
  const roles = () =>
    [...world.roleAssignments.entries()].filter(([, one]) => one.principalId === account.identity?.principalId);
  // One for the scope, which Azure would not take beside that of the account.
  for (const [id] of roles().slice(1)) world.roleAssignments.delete(id);
  return { key, account, services, trail, roles };
}
type Site = ReturnType<typeof site>;

const idOf = ({ id }: StorageAccount): ResourceId => parseResourceId(id) as ResourceId;
async function revocableOf({ account }: Site, part: RevokedPart, services: Services): Promise<Revocable> {
  const keyOf = ({ vaultUri, keyName }: { vaultUri: string; keyName: string }) =>
    services.settings.vaults.key(`${vaultUri}/keys/${keyName}`);
  return (await readRevocable(idOf(account), part, keyOf, services)) as Revocable;
}
async function revoke(of: Site, scope?: string, services: Services = of.services) {
  const { part, place } = await revocableOf(of, revokedPart(scope), services);
  return revokeAccount(part, place, callBy(ALICE), services, wire.log);
}
async function restore(of: Site, scope?: string, services: Services = of.services) {
  const { part, place } = await revocableOf(of, revokedPart(scope), services);
  const revocation = openOn(of)[0]?.id ?? 'none';
  return restoreAccount(part, place, { revocation, dualControl: true }, callBy(BOB), services, wire.log);
}
const openOn = ({ account }: Pick<Site, 'account'>) =>
  readAccountRevocations(account.tags, wire.azure.clock.now()).open;
const actions = ({ trail }: Site) => trail.map(({ entry }) => `${entry.action} ${entry.reason}`);
const looks = ({ account }: Site) =>
  wire.sent.flatMap(({ work, delaySeconds }) =>
    work.kind === 'accountRevocation' && work.account === account.id ? [{ work, delaySeconds }] : [],
  );
/** The looks that were ordered for that many seconds after `did`. */
async function look(of: Site, did: 'revoke' | 'restore', seconds: number): Promise<void> {
  for (const { work, delaySeconds } of looks(of)) {
    if (work.done?.did !== did || delaySeconds !== seconds) continue;
    expect(await settleBelowKey(work, of.services, wire.log)).toEqual({ outcome: 'done' });
  }
}
/** What somebody gives, or a late write, under the very name that was taken away. */
function giveLate([id, role]: readonly [string, RoleAssignment]): void {
  const nowMs = wire.azure.clock.now().getTime();
  wire.azure.world.roleAssignments.set(id, { ...role, createdMs: nowMs, updatedMs: nowMs });
}
const setScope = ({ account }: Site, state: 'Enabled' | 'Disabled') =>
  Object.assign(account.encryptionScopes.get('scope1') ?? {}, {
    state,
    lastModifiedTime: wire.azure.clock.now().toISOString(),
  });
const stateOf = ({ account }: Site) => account.encryptionScopes.get('scope1')?.state;

describe('the looks after an account was revoked', () => {
  it('name all that a restore closes, also when it is killed', async () => {
    const of = site();
    await revoke(of);
    await revoke(of);
    const both = openOn(of).map(({ id }) => id);
    expect(both).toHaveLength(2);
    await restore(of);
    const closes = looks(of).flatMap(({ work }) => (work.done?.did === 'restore' ? [work.done.closes] : []));
    expect(closes).toEqual(Array(5).fill(both));
  });

  it('are ordered for 15, 75 and 400 seconds later, and beforehand for 60 and 275, in the queue of keys', async () => {
    const of = site();
    const { revocation } = await revoke(of);
    await restore(of);
    for (const did of ['revoke', 'restore'] as const) {
      const mine = looks(of).filter(({ work }) => work.done?.did === did);
      for (const { work, delaySeconds } of mine) {
        const { done } = parseKeyQueueWork(JSON.parse(JSON.stringify(work))) as AccountRevocationWork;
        // Beforehand a revocation has not found anything yet.
        const isBefore = did === 'revoke' && [60, 275].includes(delaySeconds);
        expect(done?.gives).toEqual(isBefore ? undefined : revocation.took);
        // Of one alone, an instance of before can take it as well.
        expect(done).not.toHaveProperty('closes');
      }
      expect(mine.map(({ delaySeconds, work }) => `${delaySeconds} ${work.records}`).sort()).toEqual([
        '15 false',
        '275 true',
        '400 true',
        '60 false',
        '75 false',
      ]);
    }
    expect(wire.sent.filter(({ work }) => work.kind === 'accountRevocation').map(({ queue }) => queue)).toEqual(
      Array.from({ length: 10 }, () => 'key-work'),
    );
  });

  it('take away again what a restore of before gives back late, and say so', async () => {
    const of = site();
    const [role] = of.roles();
    await revoke(of);
    wire.azure.clock.advance(20_000);
    if (role) giveLate(role);
    wire.azure.clock.advance(40_000);
    await look(of, 'revoke', 75);
    expect(of.roles()).toEqual([]);
    expect(actions(of)).toEqual(['account.revoke AccountRevoked', 'account.keepRevoked AccountKeptRevoked']);
    expect((await restore(of)).end).toBe('restored');
    expect(of.roles().map(([id]) => id)).toEqual([role?.[0]]);
  });

  it('do the same for an encryption scope', async () => {
    const of = site();
    await revoke(of, 'scope1');
    wire.azure.clock.advance(20_000);
    setScope(of, 'Enabled');
    await look(of, 'revoke', 15);
    // It may be a restore that is under way.
    expect(stateOf(of)).toBe('Enabled');
    wire.azure.clock.advance(40_000);
    await look(of, 'revoke', 75);
    expect(stateOf(of)).toBe('Disabled');
  });

  it('come by a drift check too, when all of those were lost', async () => {
    const of = site();
    const [role] = of.roles();
    await revoke(of);
    wire.azure.clock.advance(20_000);
    if (role) giveLate(role);
    wire.azure.clock.advance(3_600_000);
    wire.sent.length = 0;
    await runDriftCheck({ id: 'd1', by: 'timer' }, wire.services(), wire.log);
    const [found] = looks(of);
    expect(found).toMatchObject({ delaySeconds: 0, work: { cause: { by: 'drift' }, records: false } });
    await settleBelowKey(found?.work as AccountRevocationWork, of.services, wire.log);
    expect(of.roles()).toEqual([]);
  });

  it('leave what a person gives by hand: under another name, or ten minutes later', async () => {
    const of = site();
    const [role] = of.roles();
    if (!role) throw new Error('no role');
    await revoke(of);
    await revoke(of, 'scope1');
    const [id, one] = role;
    const other = id.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000009');
    wire.azure.world.roleAssignments.set(other, { ...one, id: other });
    wire.azure.clock.advance(60_000);
    await look(of, 'revoke', 75);
    expect(of.roles().map(([name]) => name)).toEqual([other]);
    wire.azure.world.roleAssignments.delete(other);
    wire.azure.clock.advance(10 * 60_000);
    giveLate(role);
    setScope(of, 'Enabled');
    wire.azure.clock.advance(60_000);
    await look(of, 'revoke', 400);
    expect(of.roles()).toHaveLength(1);
    expect(stateOf(of)).toBe('Enabled');
  });

  it('finish what a killed process has begun, and record it under its own id, whatever is paused', async () => {
    const of = site();
    const never = new Promise<never>(() => {});
    const { keyRoles } = of.services;
    const begun = revoke(of, undefined, { ...of.services, keyRoles: { ...keyRoles, remove: () => never } });
    void begun.catch(() => {});
    await eventually('record and looks are written', () => openOn(of).length === 1 && looks(of).length === 2);
    wire.azure.clock.advance(60_000);
    await look(of, 'revoke', 60);
    expect(of.roles()).toEqual([]);
    wire.azure.clock.advance(215_000);
    await look(of, 'revoke', 275);
    await look(of, 'revoke', 275);
    expect(actions(of)).toEqual([
      'account.keepRevoked AccountKeptRevoked',
      'account.revoke AccountRevocationIncomplete',
    ]);
    expect(of.trail.at(-1)?.entry).toMatchObject({
      id: `account.revoke/${openOn(of)[0]?.id}/${ALICE}`,
      caller: { objectId: ALICE },
      details: { why: 'One share is being copied', foundLater: true, revocation: { took: [{ kind: 'role' }] } },
    });
  });

  it('write its record again that its own beginning has written over, and not one that somebody took away', async () => {
    const of = site();
    await revoke(of);
    const { tags } = of.account;
    const [name = ''] = Object.keys(tags).filter((one) => one.startsWith('cmk-revoked-'));
    of.account.tags = { ...tags, [name]: '1/1 {"on"' };
    expect(openOn(of)).toEqual([]);
    await look(of, 'revoke', 75);
    expect(of.account.tags).toEqual(tags);
    of.account.tags = {};
    await look(of, 'revoke', 400);
    expect(of.account.tags).toEqual({});
  });
});

describe('the looks after an account was restored', () => {
  it('give back what a late removal takes away, and take away a record that comes late', async () => {
    const of = site();
    const [role] = of.roles();
    await revoke(of);
    const record = Object.entries(of.account.tags).filter(([name]) => name.startsWith('cmk-revoked-'));
    await restore(of);
    for (const [id] of of.roles()) wire.azure.world.roleAssignments.delete(id);
    Object.assign(of.account.tags, Object.fromEntries(record));
    wire.azure.clock.advance(60_000);
    await look(of, 'restore', 75);
    expect(of.account.tags).toEqual({});
    expect(of.roles().map(([id]) => id)).toEqual([role?.[0]]);
    expect(actions(of).slice(2)).toEqual([
      'account.finishRestore RestoreFinished',
      'account.finishRestore RestoreFinished',
    ]);
  });

  it('give nothing back that was revoked anew, that a person takes away later, or that nobody has restored', async () => {
    const of = site();
    await revoke(of, 'scope1');
    const asked = looks(of)[0]?.work as AccountRevocationWork & { done: object };
    const forged = { ...asked, done: { ...asked.done, did: 'restore' as const } } as AccountRevocationWork;
    for (const records of [false, true]) {
      await settleBelowKey({ ...forged, records }, of.services, wire.log);
      expect(stateOf(of)).toBe('Disabled');
    }
    await restore(of, 'scope1');
    await revoke(of, 'scope1');
    wire.azure.clock.advance(75_000);
    await look(of, 'restore', 75);
    expect(stateOf(of)).toBe('Disabled');
    await restore(of, 'scope1');
    wire.azure.clock.advance(16 * 60_000);
    setScope(of, 'Disabled');
    await look(of, 'restore', 400);
    expect(stateOf(of)).toBe('Disabled');
  });
});

describe('the looks after a restore', () => {
  it('leave an account alone that has another identity by now', async () => {
    const of = site();
    await revoke(of);
    await restore(of);
    const { identity } = of.account;
    if (!identity) throw new Error('no identity');
    of.account.identity = { ...identity, principalId: 'd00d0000-0000-4000-8000-0000000000ff' };
    wire.azure.clock.advance(75_000);
    await look(of, 'restore', 75);
    expect(of.roles()).toEqual([]);
    expect(actions(of).at(-1)).toBe('account.restore AccountRestored');
  });

  it('put on record again what one that was killed had closed while it was still being taken away', async () => {
    const of = site();
    const before = of.roles();
    await revoke(of);
    const { tags } = of.services;
    const remove: typeof tags.remove = async (...args) => {
      await tags.remove(...args);
      for (const [id] of of.roles()) wire.azure.world.roleAssignments.delete(id);
      return new Promise<never>(() => {});
    };
    void restore(of, undefined, { ...of.services, tags: { ...tags, remove } });
    await eventually('the record is gone', () => openOn(of).length === 0);
    wire.azure.clock.advance(275_000);
    await look(of, 'restore', 60);
    expect(openOn(of)).toEqual([]);
    await look(of, 'restore', 275);
    expect(openOn(of)).toMatchObject([{ id: expect.stringMatching(/-rest$/), revokedBy: ALICE }]);
    expect(actions(of).slice(1)).toEqual([
      'account.keepRevoked AccountKeptRevoked',
      'account.restore AccountRestoreIncomplete',
    ]);
    expect((await restore(of)).end).toBe('restored');
    expect(of.roles().map(([id]) => id)).toEqual(before.map(([id]) => id));
  });

  it('record one whose process was killed, although the same person had restored in vain before', async () => {
    const of = site();
    await revoke(of);
    const giveBack = () => Promise.reject(Object.assign(new Error('not now'), { statusCode: 500 }));
    const failing = { ...of.services, keyRoles: { ...of.services.keyRoles, giveBack } };
    expect((await restore(of, undefined, failing)).end).toBe('incomplete');
    wire.sent.length = 0;
    void restore(of, undefined, { ...of.services, audit: () => new Promise<never>(() => {}) });
    await eventually('the record is gone', () => openOn(of).length === 0);
    wire.azure.clock.advance(275_000);
    await look(of, 'restore', 275);
    expect(actions(of).slice(1)).toEqual([
      'account.restore AccountRestoreIncomplete',
      'account.restore AccountRestored',
    ]);
  });
});

describe('a look that is overtaken', () => {
  it('takes back what it has given to an account that was revoked anew just before, and has it on record', async () => {
    const of = site();
    const [role] = of.roles();
    await revoke(of);
    await restore(of);
    for (const [id] of of.roles()) wire.azure.world.roleAssignments.delete(id);
    wire.azure.clock.advance(75_000);
    const { keyRoles } = of.services;
    const giveBack: typeof keyRoles.giveBack = async (...taken) => {
      await revoke(of);
      await keyRoles.giveBack(...taken);
    };
    await look({ ...of, services: { ...of.services, keyRoles: { ...keyRoles, giveBack } } }, 'restore', 75);
    expect(of.roles()).toEqual([]);
    // Its own looks leave it so.
    await look(of, 'revoke', 75);
    wire.azure.clock.advance(20 * 60_000);
    await restore(of);
    expect(of.roles().map(([id]) => id)).toEqual([role?.[0]]);
    expect(openOn(of)).toEqual([]);
  });

  it('has on record what it has taken from an account that was restored, and revoked anew, just then', async () => {
    const of = site();
    const [role] = of.roles();
    await revoke(of);
    wire.azure.clock.advance(20_000);
    if (role) giveLate(role);
    wire.azure.clock.advance(55_000);
    const { keyRoles } = of.services;
    const remove: typeof keyRoles.remove = async (...taken) => {
      expect((await restore(of)).end).toBe('restored');
      await keyRoles.remove(...taken);
      await revoke(of);
    };
    await look({ ...of, services: { ...of.services, keyRoles: { ...keyRoles, remove } } }, 'revoke', 75);
    expect(of.roles()).toEqual([]);
    wire.azure.clock.advance(20 * 60_000);
    await restore(of);
    expect(of.roles().map(([id]) => id)).toEqual([role?.[0]]);
    expect(openOn(of)).toEqual([]);
  });

  it('has on record what was taken late after a restore, before it was revoked anew', async () => {
    const of = site();
    const [role] = of.roles();
    await revoke(of);
    await restore(of);
    for (const [id] of of.roles()) wire.azure.world.roleAssignments.delete(id);
    wire.azure.clock.advance(5_000);
    await revoke(of);
    expect(openOn(of)).toMatchObject([{ took: [] }]);
    wire.azure.clock.advance(15_000);
    await look(of, 'revoke', 15);
    expect(of.roles()).toEqual([]);
    expect(openOn(of)).toMatchObject([{ took: [{ kind: 'role' }] }]);
    await look(of, 'revoke', 75);
    expect(actions(of).filter((one) => one === 'account.keepRevoked AccountKeptRevoked')).toHaveLength(1);
    wire.azure.clock.advance(20 * 60_000);
    await restore(of);
    expect(of.roles().map(([id]) => id)).toEqual([role?.[0]]);
  });

  it('gives what is missing after a restore whose revocation was put on record later', async () => {
    const of = site();
    await revoke(of, undefined, { ...of.services, audit: async () => ({ failed: 'out of reach' }) });
    wire.azure.clock.advance(300_000);
    await restore(of);
    wire.azure.clock.advance(100_000);
    await look(of, 'revoke', 400);
    for (const [id] of of.roles()) wire.azure.world.roleAssignments.delete(id);
    wire.azure.clock.advance(300_000);
    await look(of, 'restore', 400);
    expect(of.roles()).toHaveLength(1);
  });
  it('records a revocation whose process was killed, although it is being restored just then', async () => {
    const of = site();
    void revoke(of, undefined, { ...of.services, audit: () => new Promise<never>(() => {}) });
    await eventually('it is taken away', () => of.roles().length === 0 && openOn(of).length > 0);
    wire.azure.clock.advance(275_000);
    const { work } = looks(of).find(({ delaySeconds }) => delaySeconds === 275) ?? {};
    if (!work) throw new Error('no look');
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const audit: RecordAudit = (...written) => opened.then(() => of.services.audit(...written));
    const restored = restore(of, undefined, { ...of.services, audit });
    await eventually('the record is gone', () => openOn(of).length === 0);
    expect(await settleBelowKey(work, of.services, wire.log)).toMatchObject({ outcome: 'retry', delaySeconds: 300 });
    open();
    await restored;
    expect(await settleBelowKey({ ...work, attempt: 1 }, of.services, wire.log)).toEqual({ outcome: 'done' });
    expect(actions(of)).toEqual(['account.restore AccountRestored', 'account.revoke AccountRevocationIncomplete']);
    // One that was never begun is not waited for any longer.
    const revocation = { id: 'deadbeef', revokedBy: ALICE, revokedOn: wire.azure.clock.now().toISOString() };
    const never = { ...work, done: { ...work.done, revocation } } as typeof work;
    const told = [0, 1, 2].map((attempt) => settleBelowKey({ ...never, attempt }, of.services, wire.log));
    expect((await Promise.all(told)).map(({ outcome }) => outcome)).toEqual(['retry', 'retry', 'done']);
  });
});

describe('a message that nobody has sent for a call', () => {
  it('puts nobody on record as the one who revoked, and a restore as something that nothing else says', async () => {
    const of = site();
    await revoke(of, 'scope1');
    const { work } = looks(of).find(({ delaySeconds }) => delaySeconds === 400) ?? {};
    if (!work?.done) throw new Error('no look');
    const call = { ...work.done.call, caller: { objectId: BOB, appId: 'app' } };
    await settleBelowKey({ ...work, done: { ...work.done, call } }, of.services, wire.log);
    expect(actions(of)).toEqual(['account.revoke AccountRevoked']);
    const revocation = { ...work.done.revocation, id: 'deadbeef' };
    await settleBelowKey({ ...work, done: { did: 'restore', revocation, call } }, of.services, wire.log);
    expect(of.trail.at(-1)?.entry.details).toMatchObject({ foundLater: true, byMessageAlone: true });
    expect(stateOf(of)).toBe('Disabled');
  });
});

describe('a record in the tags that nobody has made by a call', () => {
  it('hides none that somebody has made, however new it says it is', async () => {
    const of = site();
    const [role] = of.roles();
    await revoke(of);
    wire.azure.clock.advance(20_000);
    if (role) giveLate(role);
    const on = wire.azure.clock.now().toISOString();
    const [{ id = '', revokedOn = new Date() } = {}] = openOn(of);
    const { tags } = of.account;
    const planted = Object.entries(tags)
      .filter(([name]) => name.startsWith(`cmk-revoked-${id}`))
      .map(([name, value]) => [name.replace(id, 'f00d'), value.replace(revokedOn.toISOString(), on)]);
    of.account.tags = { ...tags, ...Object.fromEntries(planted) };
    expect(openOn(of).map((open) => open.id)).toEqual(['f00d', id]);
    wire.azure.clock.advance(40_000);
    await look(of, 'revoke', 75);
    expect(of.roles()).toEqual([]);
  });

  it('takes nothing away, whoever has written it', async () => {
    const of = site();
    const part = { kind: 'scope', name: 'scope1' };
    const on = wire.azure.clock.now().toISOString();
    const record = JSON.stringify({ on, by: ALICE, part: 'scope:scope1', took: [part] });
    of.account.tags = { 'cmk-revoked-f00d': `1/1 ${record}` };
    expect(openOn(of)).toHaveLength(1);
    const cause = { by: 'drift', ref: 'r', since: on };
    const work = { kind: 'accountRevocation', account: of.account.id, scope: 'scope1', cause, attempt: 0 } as const;
    expect(await settleBelowKey({ ...work, records: false }, of.services, wire.log)).toEqual({ outcome: 'done' });
    expect(stateOf(of)).toBe('Enabled');
  });
});

describe('the looks after an account was revoked in a Managed HSM, which does not say when a role was given', () => {
  function hsmSite() {
    const of = site({}, 'hsm-local');
    const { roleAssignments } = of.key.vault.local ?? { roleAssignments: new Map<string, never>() };
    const local = () =>
      [...roleAssignments.values()].filter(({ principalId }) => principalId === of.account.identity?.principalId);
    // One for the scope, as that of the account.
    for (const { name } of local().slice(1)) roleAssignments.delete(name);
    const [role] = local();
    if (!role) throw new Error('no role');
    const giveLate = (name = role.name) => void roleAssignments.set(name, { ...role, name } as never);
    return { ...of, local, role, giveLate };
  }

  it('take away again what comes late under the very name, and leave what a person gives', async () => {
    const of = hsmSite();
    await revoke(of);
    wire.azure.clock.advance(20_000);
    of.giveLate();
    await look(of, 'revoke', 15);
    expect(of.local()).toEqual([]);
    expect(actions(of)).toEqual(['account.revoke AccountRevoked', 'account.keepRevoked AccountKeptRevoked']);
    of.giveLate('00000000-0000-4000-8000-000000000009');
    await look(of, 'revoke', 75);
    expect(of.local()).toHaveLength(1);
    expect((await restore(of)).end).toBe('restored');
    expect(of.local()).toHaveLength(1);
  });

  it('leave alone what is there ten minutes later, by whomever, and give what a restore gave', async () => {
    const of = hsmSite();
    await revoke(of);
    wire.azure.clock.advance(11 * 60_000);
    of.giveLate();
    await look(of, 'revoke', 400);
    expect(of.local()).toEqual([of.role]);
    expect((await restore(of)).end).toBe('restored');
    of.key.vault.local?.roleAssignments.delete(of.role.name);
    await look(of, 'restore', 15);
    expect(of.local()).toEqual([of.role]);
  });
});
