import { describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { AccountWork } from '../../src/work/messages.ts';
import { pinnedTo, useAccounts } from './account-fixture.ts';

// Guards invariant 8: what was moved is recorded as moved, once.
const { audited, deliver, expireLease, instance, key, reasons, reconcile, requestsOf, wire } = useAccounts();

const patchOf = (account: StorageAccount) => ({ method: 'PATCH', path: `${account.name}\\?` });

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
    expect(await reconcile(again, instance())).toMatchObject({ outcome: 'again', reason: 'Busy', counts: false });
    await expireLease(account);
    expect(await reconcile(again, instance())).toEqual({ outcome: 'done' });
    expect(await reconcile(again, instance())).toEqual({ outcome: 'done' });
    expect(requestsOf(account, since).account).toEqual(['GET', 'GET', 'PATCH', 'GET', 'GET']);
    expect(reasons().slice(-3)).toEqual(['Moved', 'UpToDate', 'UpToDate']);
    expect(await audited(account)).toMatchObject([
      { action: 'account.move', reason: 'Moved', details: { from: files.id(files.first), to: files.id(next) } },
    ]);
  });
});
