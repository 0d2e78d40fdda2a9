import { describe, expect, it, vi } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { Services } from '../../src/services.ts';
import type { AccountWork } from '../../src/work/messages.ts';
import { eventually } from '../support/eventually.ts';
import { pinnedTo, useAccounts } from './account-fixture.ts';

// Guards invariant 8: what was moved is recorded as moved, once, whatever becomes of an answer or of who asked.
const { audited, deliver, expireLease, instance, key, reasons, reconcile, requestsOf, wire } = useAccounts();

const patchOf = ({ name }: StorageAccount) => ({ method: 'PATCH', path: `${name}\\?` });
const never = () => new Promise<never>(() => {});

/** An instance that stops for good where it would record a move, or where it would clear what it has recorded. */
function killed(at: 'audit' | 'clearing'): { readonly services: Services; readonly died: Promise<void> } {
  const services = instance();
  let die = () => {};
  const died = new Promise<void>((resolve) => {
    die = resolve;
  });
  const audit: Services['audit'] = async (...entry) => {
    if (at === 'clearing') await services.audit(...entry);
    die();
    return never();
  };
  return { services: { ...services, audit }, died };
}

describe('a PATCH whose answer is lost', () => {
  it('is proved by what the next look reads, and recorded once', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const since = wire.azure.requests.last;
    wire.azure.faults.add([{ match: patchOf(account), times: 1, resetAfter: true }]);
    await deliver(files.accountWork(account), instance());
    expect(wire.sent).toMatchObject([{ delaySeconds: 61, work: { attempt: 1 } }]);
    expect(pinnedTo(account)).toBe(next.version);
    const again = wire.sent[0]?.work as AccountWork;
    // The account is left alone for as long as the write may still take effect.
    expect(await reconcile(again, instance())).toMatchObject({ outcome: 'retry', reason: 'Busy', counts: false });
    await expireLease(account);
    expect(await reconcile(again, instance())).toEqual({ outcome: 'done' });
    expect(await reconcile(again, instance())).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET', 'PATCH', 'GET', 'GET']);
    expect(reasons().slice(-3)).toEqual(['Moved', 'UpToDate', 'UpToDate']);
    expect(await audited(account)).toMatchObject([
      { action: 'account.move', reason: 'Moved', details: { from: files.id(files.first), to: files.id(next) } },
    ]);
  });

  it('is proved too by a look that is about its scopes alone', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    wire.azure.faults.add([{ match: patchOf(account), times: 1, resetAfter: true }]);
    await deliver(files.accountWork(account), instance());
    await expireLease(account);
    expect(await reconcile({ ...files.accountWork(account), scopes: 'only' }, instance())).toEqual({ outcome: 'done' });
    expect(await audited(account)).toMatchObject([{ reason: 'Moved', details: { to: files.id(next) } }]);
  });

  it('and that did not take effect, is sent again and recorded once', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    wire.azure.faults.add([{ match: patchOf(account), times: 1, reset: true }]);
    expect(await reconcile(files.accountWork(account), instance())).toMatchObject({ outcome: 'retry', counts: true });
    expect(pinnedTo(account)).toBe(files.first.version);
    await expireLease(account);
    expect(await reconcile(files.accountWork(account), instance())).toEqual({ outcome: 'done' });
    expect(pinnedTo(account)).toBe(next.version);
    expect(await audited(account)).toHaveLength(1);
  });

  it('for an answer of 503 that says when to come again, is proved in the same way', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const services = instance();
    const updateEncryption: Services['accounts']['updateEncryption'] = async (...change) => {
      await services.accounts.updateEncryption(...change);
      const response = { status: 503, headers: { 'retry-after': '5' } };
      throw Object.assign(new Error('The service is busy.'), { statusCode: 503, code: 'ServerBusy', response });
    };
    const busy = { ...services, accounts: { ...services.accounts, updateEncryption } };
    const outcome = await reconcile(files.accountWork(account), busy);
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Throttled', delaySeconds: 61 });
    await expireLease(account);
    expect(await reconcile(files.accountWork(account), instance())).toEqual({ outcome: 'done' });
    expect(await audited(account)).toMatchObject([{ reason: 'Moved', details: { to: files.id(next) } }]);
  });

  it('of a scope, is proved in the same way', async () => {
    const [files, other] = [key(), key()];
    const account = other.account('pinned', { scopes: [{ name: 'scope1', key: files.use('automatic') }] });
    const next = files.add();
    const match = { method: 'PATCH', path: `${account.name}/encryptionScopes/scope1` };
    wire.azure.faults.add([{ match, times: 1, resetAfter: true }]);
    await reconcile(files.accountWork(account), instance());
    await expireLease(account);
    // Whichever key the next message is about.
    await reconcile(other.accountWork(account), instance());
    expect(await audited(account)).toMatchObject([
      { reason: 'Refreshed', details: { scope: 'scope1', key: files.id(), to: files.id(next), mode: 'automatic' } },
    ]);
  });

  it('is proved by a version that is newer than the one that was asked for', async () => {
    const files = key();
    const account = files.account();
    files.add();
    wire.azure.faults.add([{ match: patchOf(account), times: 1, resetAfter: true }]);
    await reconcile(files.accountWork(account), instance());
    const third = files.add();
    Object.assign(account.encryption.keyvaultproperties ?? {}, {
      keyversion: third.version,
      currentVersionedKeyIdentifier: files.id(third),
    });
    await expireLease(account);
    await reconcile(files.accountWork(account), instance());
    expect(await audited(account)).toMatchObject([{ reason: 'Moved', details: { to: files.id(third) } }]);
  });

  it.each(['switched to another key', 'deleted'])(
    'is recorded as not to be proved any more, once, when the account was %s meanwhile',
    async (what) => {
      const [files, other] = [key(), key()];
      const account = files.account();
      const next = files.add();
      wire.azure.faults.add([{ match: patchOf(account), times: 1, resetAfter: true }]);
      await reconcile(files.accountWork(account), instance());
      if (what === 'deleted') wire.azure.world.storageAccounts.delete(account.name);
      else account.encryption = other.account().encryption;
      await expireLease(account);
      for (const _ of [1, 2]) await reconcile(files.accountWork(account), instance());
      expect(await audited(account)).toMatchObject([{ reason: 'MoveUnproven', details: { to: files.id(next) } }]);
    },
  );
});

describe('an instance that is killed', () => {
  it.each(['audit', 'clearing'] as const)('before the %s of a move leaves it to be recorded once', async (at) => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const { services, died } = killed(at);
    void reconcile(files.accountWork(account), services);
    await died;
    expect(pinnedTo(account)).toBe(next.version);
    await expireLease(account);
    const sleep = vi.fn(async (_ms: number) => {});
    const others = [instance(), instance()].map((other) => ({ ...other, sleep }));
    // What the dead instance had under way is given its time, once, by two leases, and by nobody who stands waiting for it.
    const busy = { outcome: 'retry', reason: 'Busy', counts: false };
    for (const other of others) {
      for (const delaySeconds of [46, 5]) {
        expect(await reconcile(files.accountWork(account), other)).toMatchObject({ ...busy, delaySeconds });
      }
      await expireLease(account);
    }
    for (const other of [...others, ...others]) {
      expect(await reconcile(files.accountWork(account), other)).toEqual({ outcome: 'done' });
    }
    expect(sleep.mock.calls.filter(([ms = 0]) => ms > 1_000)).toEqual([]);
    expect(await audited(account)).toMatchObject([{ reason: 'Moved', details: { to: files.id(next) } }]);
  });
});

describe('an audit trail that', () => {
  it('is out of reach holds up no move, and has each of them in the end, once', async () => {
    const files = key();
    const account = files.account();
    const next = files.add();
    const broken = { ...instance(), audit: async () => ({ failed: 'no answer' }) };
    const outcome = { outcome: 'retry', reason: 'AuditFailed', detail: 'no answer', counts: true };
    expect(await reconcile(files.accountWork(account), broken)).toMatchObject(outcome);
    expect(pinnedTo(account)).toBe(next.version);
    await expireLease(account);
    const third = files.add();
    expect(await reconcile(files.accountWork(account), broken)).toMatchObject(outcome);
    expect(pinnedTo(account)).toBe(third.version);
    await expireLease(account);
    for (const _ of [1, 2])
      expect(await reconcile(files.accountWork(account), instance())).toEqual({ outcome: 'done' });
    expect((await audited(account)).map(({ reason, details }) => [reason, details?.from, details?.to])).toEqual([
      ['Moved', files.id(files.first), files.id(next)],
      ['Moved', files.id(next), files.id(third)],
    ]);
  });

  it('fails is asked once at each look, as what it was asked for may still be written', async () => {
    const files = key();
    const account = files.account();
    files.add();
    wire.azure.faults.add([{ match: patchOf(account), times: 1, resetAfter: true }]);
    await reconcile(files.accountWork(account), instance());
    for (const _ of ['judged at this look', 'known already']) {
      await expireLease(account);
      const audit = vi.fn<Services['audit']>(async () => ({ failed: 'no answer' }));
      await reconcile(files.accountWork(account), { ...instance(), audit });
      expect(audit).toHaveBeenCalledOnce();
    }
  });

  it('answers too late is not written to twice', async () => {
    const files = key();
    const account = files.account();
    files.add();
    const services = instance();
    const audit: Services['audit'] = async (...entry) => {
      await services.audit(...entry);
      return { failed: 'too late' };
    };
    const outcome = await reconcile(files.accountWork(account), { ...services, audit });
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'AuditFailed' });
    expect(await reconcile(files.accountWork(account), instance())).toMatchObject({ reason: 'Busy' });
    await expireLease(account);
    expect(await reconcile(files.accountWork(account), instance())).toEqual({ outcome: 'done' });
    expect(await audited(account)).toHaveLength(1);
  });
});

it('a refresh that Storage answers with a version newer than the target is a move to that version', async () => {
  const files = key();
  const account = files.account('automaticEmpty');
  files.add();
  wire.azure.faults.add([{ match: patchOf(account), times: 1, delayMs: 300 }]);
  const look = reconcile(files.accountWork(account), instance());
  await eventually('the PATCH is under way', () => wire.azure.faults.list().length === 0);
  const third = files.add();
  expect(await look).toEqual({ outcome: 'done' });
  expect(await audited(account)).toMatchObject([{ reason: 'Refreshed', details: { to: files.id(third) } }]);
});
