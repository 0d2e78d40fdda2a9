import { describe, expect, it } from 'vitest';
import { handleRestore, type RestoreResponse } from '../../src/api/restore.ts';
import { handleRevoke, type RevokeResponse } from '../../src/api/revoke.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import type { Work } from '../../src/work/messages.ts';
import { routeCalls } from '../api/route-calls.ts';
import { auditLines } from '../support/audit-lines.ts';
import type { TestKey } from '../support/fleet.ts';
import { callKey, keyStatus } from '../support/key-calls.ts';
import { useWire } from '../support/wire.ts';
import { workItems } from '../support/work-items.ts';
import {
  addVersion,
  allowRecovery,
  breakGlass,
  enabledOf,
  keyOf,
  managed,
  person,
  refusalOf,
  softDelete,
  versionsOf,
} from './break-glass-fixture.ts';

const wire = useWire();
const { revoke, restore } = breakGlass(wire);

/** The queued work, except the verification passes of the revocation (second-looks.slow.test.ts). */
function besideLooks(): Work[] {
  return wire.sent.map(({ work }) => work).filter(({ kind }) => kind !== 'revocation');
}

/** Why a reconcile pass of the key is wanted. */
async function requested(key: TestKey, services: Services): Promise<string[]> {
  const items = await workItems(services);
  return items.filter(({ about }) => about === key.id()).map(({ cause }) => cause.by);
}

/** Every record of the audit trail about the key. */
async function audited(key: TestKey): Promise<string[]> {
  return (await auditLines(wire.connectionString)).filter((line) => line.includes(`/${key.name}"`));
}

describe('a restore', () => {
  it('A restore accepts the id of its revocation in capitals, also after the key was restored', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    const { revocation } = await revoke(key, services);
    const id = revocation?.id.toUpperCase();

    expect(await restore(key, services, 'bob', id)).toMatchObject({ reason: 'Restored', complete: true });
    expect(enabledOf(key)).toEqual([true]);

    const seen = wire.azure.requests.last;

    expect(await restore(key, services, 'bob', id)).toMatchObject({ reason: 'Restored', complete: true });
    expect(wire.azure.requests.since(seen).filter(({ method }) => method === 'PATCH')).toEqual([]);
    expect(await audited(key)).toHaveLength(3);
  });

  it('A restore reverses the newest revocation with all that it joined, and is denied to the person who revoked', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    const first = await revoke(key, services, 'alice');

    addVersion(key);

    const second = await revoke(key, services, 'bob');
    expect(second.revocation?.id).not.toBe(first.revocation?.id);
    expect((await refusalOf(restore(key, services, 'bob'))).status).toBe(403);

    const other = await refusalOf(restore(key, services, 'carol', first.revocation?.id));
    expect(other).toMatchObject({ status: 409, reason: 'OtherRevocation' });
    expect(enabledOf(key)).toEqual([false, false]);
    expect(await restore(key, services, 'carol', second.revocation?.id)).toMatchObject({ complete: true });
    expect(enabledOf(key)).toEqual([true, true]);
  });

  it('A restore records the key as Key Vault spells it, as the revocation and the status do', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    const shouted = createManagedKey(managed(key, services).vault, key.name.toUpperCase());
    const body = { reason: 'A drill', confirm: `kv-files/${key.name}` };
    const query = { dryRun: true };
    const dry = await callKey<RevokeResponse>(handleRevoke, shouted, { services, query });
    const revoked = await callKey<RevokeResponse>(handleRevoke, shouted, { services, body, caller: person('alice') });
    const status = await keyStatus(shouted, services);
    const order = { ...body, revocation: revoked.revocation?.id };
    const by = { services, caller: person('bob'), body: order };
    const restored = await callKey<RestoreResponse>(handleRestore, shouted, by);

    expect([dry, revoked, status, restored].map((answer) => answer.key)).toEqual(Array(4).fill(key.id()));

    expect(await audited(key)).toEqual([
      expect.stringContaining('"action":"key.revoke"'),
      expect.stringContaining('"reason":"RestoreBegun"'),
      expect.stringContaining('"reason":"Restored"'),
    ]);
  });

  it('The person who revoked may restore when CMK_DUAL_CONTROL is off', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services({ CMK_DUAL_CONTROL: 'off' });
    await revoke(key, services);
    expect(await restore(key, services, 'alice')).toMatchObject({ reason: 'Restored', complete: true });
    expect(enabledOf(key)).toEqual([true]);
  });

  it('A restore queues a reconcile pass of the key and the probe of its effect', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    await revoke(key, services);
    await restore(key, services);
    expect(besideLooks()).toMatchObject([
      { kind: 'probe', key: key.id(), cause: { by: 'revoke' } },
      { kind: 'probe', key: key.id(), cause: { by: 'restore' } },
    ]);
    expect(await requested(key, services)).toEqual(['restore']);
  });

  it('A restore changes nothing when nothing is revoked', async () => {
    const key = keyOf(wire.azure, 2);
    const services = wire.services();
    const seen = wire.azure.requests.last;

    expect(await restore(key, services)).toMatchObject({
      reason: 'NothingToRestore',
      complete: true,
      recovered: false,
    });

    expect(wire.azure.requests.since(seen).filter(({ method }) => method !== 'GET')).toEqual([]);
    expect(besideLooks()).toEqual([]);
  });
});

describe('a restore of a soft-deleted key', () => {
  it('A restore of a deleted key names the missing right when the app may not recover keys', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    await revoke(key, services);
    softDelete(key);
    const refused = await refusalOf(restore(key, services));
    expect(refused).toMatchObject({ status: 502, reason: 'MissingPermission' });
    expect(refused.message).toMatch(/deleted.*recover/s);
    expect(refused.nextStep).toContain('Microsoft.KeyVault/vaults/keys/recover/action');
    expect(key.vault.deletedKeys.has(key.name)).toBe(true);
  });

  it('A restore of a mistyped name does not claim that the key is deleted if the app may not list deleted keys', async () => {
    const call = routeCalls(wire, 'restorer');
    const body = { reason: 'The laptop is back', revocation: 'cafe' };
    const { status, body: refused } = await call('restoreKey', { vault: 'hsm-local', key: 'valut-key', body });
    expect([status, refused.reason]).toEqual([502, 'MissingPermission']);
    expect(refused.detail).toMatch(
      /^The vault has no such key, and the app could not check whether the key is deleted/,
    );
    expect(refused.nextStep).toMatch(/^Check the name of the key\./);
  });

  it('A restore of a deleted key recovers the key first, and then enables the revoked versions', async () => {
    allowRecovery(wire.azure);
    const key = keyOf(wire.azure, 3);
    const off = versionsOf(key)[1];
    if (off) off.enabled = false;
    const services = wire.services();
    await revoke(key, services);
    softDelete(key);
    expect(await restore(key, services)).toMatchObject({ reason: 'Restored', complete: true, recovered: true });
    expect(enabledOf(key)).toEqual([true, false, true]);
  });

  it('A restore of a deleted key by the person who revoked it is denied, and does not recover the key', async () => {
    allowRecovery(wire.azure);

    const key = keyOf(wire.azure, 1);
    const services = wire.services();

    await revoke(key, services);
    softDelete(key);

    const refused = await refusalOf(restore(key, services, 'alice'));
    expect(refused).toMatchObject({ status: 403, reason: 'SecondPersonNeeded', extensions: { recovered: false } });
    expect(key.vault.deletedKeys.has(key.name)).toBe(true);
    expect((await refusalOf(restore(key, services, 'bob', 'another'))).reason).toBe('OtherRevocation');
    expect(key.vault.deletedKeys.has(key.name)).toBe(true);
    expect(besideLooks()).toHaveLength(1); // the probe of the revocation
  });

  it('A restore of a deleted key that is not revoked is rejected, and does not recover the key', async () => {
    allowRecovery(wire.azure);

    const services = wire.services();
    const never = keyOf(wire.azure, 2);
    const restored = keyOf(wire.azure, 2);
    const { revocation } = await revoke(restored, services);

    await restore(restored, services);

    const asked = wire.sent.length;

    for (const [key, id] of [
      [never, 'made-up'],
      [restored, revocation?.id],
    ] as const) {
      softDelete(key);

      const refused = await refusalOf(restore(key, services, 'bob', id));
      expect(refused).toMatchObject({ status: 404, reason: 'KeyNotFound' });
      expect(refused.message).toContain('soft-deleted');
      expect(key.vault.deletedKeys.has(key.name)).toBe(true);
    }

    expect(wire.sent.slice(asked).filter(({ work }) => work.kind === 'probe')).toEqual([]);
    expect(await requested(never, services)).toEqual([]);
    expect(await audited(never)).toEqual([]);
  });
});

describe('the preflight of a restore', () => {
  it('The preflight of a restore names what each account lacks, and which accounts are ready', async () => {
    const key = keyOf(wire.azure, 1);
    const { world } = wire.azure;
    const ready = key.account();
    const detached = key.account();
    const bare = key.account('pinned', { identity: undefined } as never);

    detached.identity = undefined;

    for (const [id, assignment] of world.roleAssignments) {
      if (assignment.principalId === bare.identity?.principalId) world.roleAssignments.delete(id);
    }

    const services = wire.services();

    await revoke(key, services);

    const { accounts, warnings } = await restore(key, services);

    const of = (id: string) => accounts.find(({ account }) => account === id);

    expect(accounts).toHaveLength(3);
    expect(of(ready.id)).toEqual({ account: ready.id, ready: true, missing: [] });
    expect(of(detached.id)).toMatchObject({ ready: false, missing: [expect.stringContaining('not attached')] });
    expect(of(bare.id)).toMatchObject({ ready: false });
    expect(of(bare.id)?.missing.join()).toContain('Microsoft.KeyVault/vaults/keys/unwrap/action');
    expect(warnings).toEqual([]);
  });

  it('The preflight of a restore finds accounts that use the key by a scope in the index, and lists no scopes', async () => {
    const key = keyOf(wire.azure, 1);
    const other = keyOf(wire.azure, 1);

    key.account();

    const scopes = [{ name: 'scope1', key: key.use() }];
    const { id, location } = other.account('pinned', { scopes });
    const services = wire.services();
    const on = services.now().toISOString();
    const use = { key: managed(key, services).id, account: id, location, scope: 'scope1', mode: 'pinned' } as const;

    await services.useRows.put([{ ...use, readOn: on, at: on, state: 'done', attempts: 0 }]);
    await revoke(key, services);

    const since = wire.azure.requests.last;

    const { accounts, warnings } = await restore(key, services);
    expect(accounts).toHaveLength(2);
    expect(accounts).toContainEqual({ account: id, ready: true, missing: [] });
    expect(warnings).toEqual([]);
    expect(wire.arm(since, /encryptionScopes/)).toEqual([]);
  });

  it('The preflight of a restore names in time what it failed to read, and the restore enables the key all the same', async () => {
    const key = keyOf(wire.azure, 1);

    key.account();

    const services = wire.services();

    await revoke(key, services);
    wire.azure.faults.add([{ match: { host: 'management.azure.com' }, hang: true }]);

    const started = Date.now();
    const answer = await restore(key, services);

    expect(answer).toMatchObject({ complete: true, accounts: [] });
    expect(answer.warnings.join()).toMatch(/could be checked/);
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(enabledOf(key)).toEqual([true]);
  });
});

it('The status of a key shows no effect that was observed before the key was revoked again', async () => {
  const key = keyOf(wire.azure, 1);
  const account = key.account('pinned', { shares: ['share1'] });
  const services = wire.services();
  const since = new Date(Date.now() - 60_000).toISOString();
  const of = { account: account.id, service: 'file' as const, share: 'share1' };
  const seen = { ...of, state: 'open' as const, since, checkedOn: since };

  await services.effects.update(managed(key, services), () => ({
    key: key.id(),
    change: { expect: 'open', since },
    complete: true,
    accounts: [seen],
  }));

  const before = await keyStatus(managed(key, services), services);
  expect(before.effect).toEqual([seen]);

  await revoke(key, services);

  const after = await keyStatus(managed(key, services), services);
  expect(after.effect).toEqual([]);
});
