import { expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { revoke } from '../../src/revocation/revoke.ts';
import type { Work } from '../../src/work/messages.ts';
import { MemoryVault } from '../properties/memory-vault.ts';
import { keptLog } from '../support/app-services.ts';
import { eventually } from '../support/eventually.ts';
import { KEY, REVOKER } from '../support/keys.ts';

it('A revocation disables every version without an answer of the dependents, the queue or the audit trail', async () => {
  const vault = new MemoryVault({ copiesTags: false, seed: 1 });

  for (let n = 0; n < 3; n += 1) await vault.create({}, true);

  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });

  const call = {
    caller: { objectId: REVOKER.revokedBy, appId: 'app' },
    correlationId: 'c',
    why: 'w',
    ticket: undefined,
  };

  const revoking = revoke(
    KEY,
    call,
    {
      keys: vault.keys,
      now: () => vault.now(),
      sleep: async () => {},
      newId: () => REVOKER.id,
      dependents: () => gate.then(() => 'two accounts'),
      queue: { send: () => gate },
      audit: () => gate.then(() => ({ failed: 'out of reach' })),
    },
    () => {},
  );

  await eventually('every version is disabled', async () => (await vault.truth()).every(({ enabled }) => !enabled));
  open();

  expect(await revoking).toMatchObject({ complete: true, dependents: 'two accounts', audit: 'out of reach' });
});

it('The log, the audit record and the verification passes of a revocation name its caller and the kind of caller', async () => {
  const vault = new MemoryVault({ copiesTags: false, seed: 1 });

  await vault.create({}, true);

  const { log, records } = keptLog();
  const entries: AuditEntry[] = [];
  const sent: Work[] = [];
  const caller = { objectId: REVOKER.revokedBy, appId: 'app', kind: 'application' } as const;

  await revoke(
    KEY,
    { caller, correlationId: 'c', why: 'w', ticket: 'T' },
    {
      keys: vault.keys,
      now: () => vault.now(),
      sleep: async () => {},
      newId: () => REVOKER.id,
      dependents: async () => undefined,
      queue: {
        send: async (_, work) => {
          sent.push(work);
        },
      },
      audit: async (entry) => {
        entries.push(entry);
        return { failed: 'out of reach' };
      },
    },
    log,
  );

  const who = { caller: caller.objectId, kind: 'application', client: 'app', correlationId: 'c' };
  expect(records).toMatchObject([{ level: 'warning', reason: 'Revoked', revocation: REVOKER.id, ...who }]);
  expect(entries).toMatchObject([{ action: 'key.revoke', caller, details: { why: 'w', ticket: 'T' } }]);

  // Soon, after a write that came late, and after clocks that differ; the last one of those that a kill leaves records it.
  const looks = sent.filter((work) => work.kind === 'revocation');
  expect(looks).toHaveLength(4);

  for (const look of looks) expect(look).toMatchObject({ claimed: { caller, why: 'w', ticket: 'T' } });
});
